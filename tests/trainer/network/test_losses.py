"""Losses, against torch's own and by hand; void pixels must not matter."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.catalogue import WeightedLoss
from trainer.data.collection import VOID
from trainer.network import losses
from trainer.network.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    LossPerImage,
    mean_loss,
)

WEIGHTS = [None, (0.25, 0.75), (0.001, 0.002)]


def build_loss(name: str, classes: int, weights: Tensor | None = None) -> nn.Module:
    """Return the named loss with these weights."""
    return losses.build_loss(name, WeightedLoss(), classes, lambda _: weights)


def batch(channels: int, *, void: float = 0.2, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return logits and targets of ``max(channels, 2)`` classes, a share of them void."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, channels, 8, 11, generator=generator) * 2
    target = torch.randint(0, max(channels, 2), (3, 8, 11), generator=generator)
    target[torch.rand(target.shape, generator=generator) < void] = VOID
    return logits.requires_grad_(), target.to(torch.uint8)


def mean(loss: nn.Module, logits: Tensor, target: Tensor) -> Tensor:
    return mean_loss(loss(logits, target).sums())


def tensor(weights: tuple[float, ...] | None) -> Tensor | None:
    return None if weights is None else torch.tensor(weights)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_bce_is_torchs_over_the_labelled_pixels(weights: tuple[float, ...] | None) -> None:
    logits, target = batch(1)
    kept = target != VOID
    truth = target[kept].float()
    by_pixel = F.binary_cross_entropy_with_logits(logits[:, 0][kept], truth, reduction="none")
    weight = torch.ones_like(truth) if weights is None else torch.tensor(weights)[truth.long()]
    expected = (by_pixel * weight).sum() / weight.sum()
    found = mean(build_loss("bce", 2, tensor(weights)), logits, target)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("weights", [None, (0.1, 0.2, 0.3, 0.4), (1e-3, 0.0, 2e-3, 1e-3)])
def test_cross_entropy_is_torchs(weights: tuple[float, ...] | None) -> None:
    logits, target = batch(4)
    expected = F.cross_entropy(logits, target.long(), tensor(weights), ignore_index=VOID)
    found = mean(build_loss("cross-entropy", 4, tensor(weights)), logits, target)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_bce_is_cross_entropy_of_two_classes(weights: tuple[float, ...] | None) -> None:
    logits, target = batch(1)
    both = torch.cat([torch.zeros_like(logits), logits], dim=1)
    one = mean(build_loss("bce", 2, tensor(weights)), logits, target)
    two = mean(build_loss("cross-entropy", 2, tensor(weights)), both, target)
    assert one.item() == pytest.approx(two.item(), rel=1e-5)


def test_bce_by_hand() -> None:
    logits = torch.tensor([[[[0.0, math.log(3.0), math.log(3.0), 50.0]]]])
    target = torch.tensor([[[1, 1, 0, VOID]]], dtype=torch.uint8)
    expected = (math.log(2) - math.log(0.75) - math.log(0.25)) / 3
    assert mean(BinaryCrossEntropy(2), logits, target).item() == pytest.approx(expected)
    weighted = (2 * math.log(2) - 2 * math.log(0.75) - math.log(0.25)) / 5
    found = mean(BinaryCrossEntropy(2, torch.tensor([1.0, 2.0])), logits, target)
    assert found.item() == pytest.approx(weighted)


def test_cross_entropy_by_hand() -> None:
    # Probabilities 1/4, 1/4, 1/2 at the first pixel, 1/3 each at the second.
    logits = torch.tensor([0.0, 0.0, math.log(2.0), 0.0, 0.0, 0.0]).view(1, 2, 3)
    logits = logits.permute(0, 2, 1)[:, :, None]
    target = torch.tensor([[[2, 0]]], dtype=torch.uint8)
    assert mean(CrossEntropy(3), logits, target).item() == pytest.approx(
        (math.log(2) + math.log(3)) / 2
    )
    found = mean(CrossEntropy(3, torch.tensor([3.0, 9.0, 1.0])), logits, target)
    assert found.item() == pytest.approx((math.log(2) + 3 * math.log(3)) / 4)


CASES = [("bce", 1, 2), ("cross-entropy", 2, 2), ("cross-entropy", 5, 5)]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "channels", "classes"), CASES)
def test_void_pixels_have_no_gradient(
    name: str, channels: int, classes: int, weighted: bool
) -> None:
    logits, target = batch(channels)
    weights = torch.linspace(0.1, 1, classes) if weighted else None
    mean(build_loss(name, classes, weights), logits, target).backward()
    assert logits.grad is not None
    void = (target == VOID)[:, None].expand_as(logits)
    assert not logits.grad[void].any()
    assert logits.grad[~void].all()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "channels", "classes"), CASES)
def test_what_stands_under_void_does_not_matter(
    name: str, channels: int, classes: int, weighted: bool
) -> None:
    logits, target = batch(channels)
    loss = build_loss(name, classes, torch.linspace(0.1, 1, classes) if weighted else None)
    changed = torch.where((target == VOID)[:, None], torch.full_like(logits, 30.0), logits)
    assert mean(loss, changed, target).item() == pytest.approx(mean(loss, logits, target).item())


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "channels", "classes"), CASES)
def test_all_void_is_a_loss_of_zero(name: str, channels: int, classes: int, weighted: bool) -> None:
    logits, target = batch(channels, void=2.0)
    assert (target == VOID).all()
    of = build_loss(name, classes, torch.ones(classes) if weighted else None)
    loss = mean(of, logits, target)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "channels", "classes"), CASES)
def test_sums_of_parts_are_the_sums_of_the_whole(
    name: str, channels: int, classes: int, weighted: bool
) -> None:
    logits, target = batch(channels)
    target[0] = VOID
    loss = build_loss(name, classes, torch.linspace(0.1, 1, classes) if weighted else None)
    whole = loss(logits, target)
    assert [tuple(part.shape) for part in whole] == [(3, 1), (3, 1)]
    parts = [loss(logits[i : i + 1], target[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(torch.cat([part.value for part in parts]), whole.value)
    torch.testing.assert_close(sum(part.sums() for part in parts), whole.sums())


def test_a_weighted_sum_of_losses_is_a_loss_however_a_split_is_cut() -> None:
    """One term over pixels, one over images: void makes images count unequally in the first."""

    class Sum(nn.Module):
        def forward(self, logits: Tensor, target: Tensor) -> LossPerImage:
            pixels = BinaryCrossEntropy(2)(logits, target)
            images = logits.flatten(1).square().mean(1, keepdim=True)
            value = torch.cat([0.5 * pixels.value, 2 * images], dim=1)
            return LossPerImage(value, torch.cat([pixels.weight, torch.ones_like(images)], dim=1))

    logits, target = batch(1)
    target[0, :6] = VOID
    expected = 0.5 * mean(BinaryCrossEntropy(2), logits, target) + 2 * logits.square().mean()
    assert mean(Sum(), logits, target).item() == pytest.approx(expected.item(), rel=1e-5)
    parts = Sum()(logits[:1], target[:1]).sums() + Sum()(logits[1:], target[1:]).sums()
    assert mean_loss(parts).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(("name", "channels", "classes"), CASES)
def test_extreme_logits_stay_finite(name: str, channels: int, classes: int) -> None:
    _, target = batch(channels, void=0.0)
    logits = torch.full((3, channels, 8, 11), 1e4)
    logits[:, 0] = -1e4
    logits.requires_grad_()
    loss = mean(build_loss(name, classes), logits, target)
    loss.backward()
    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_bce_refuses_three_classes() -> None:
    with pytest.raises(ValueError, match="bce is for two classes, the data has 3; use cross"):
        build_loss("bce", 3)


@pytest.mark.parametrize(("classes", "kind"), [(2, BinaryCrossEntropy), (3, CrossEntropy)])
def test_auto_goes_by_the_number_of_classes(classes: int, kind: type) -> None:
    assert isinstance(build_loss("auto", classes), kind)


def test_a_loss_says_how_many_channels_it_wants() -> None:
    assert [build_loss(name, n).out_channels for name, _, n in CASES] == [1, 2, 5]


def test_an_unknown_loss_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"unknown loss 'dicee'.*bce"):
        build_loss("dicee", 2)


def test_weights_are_no_part_of_a_checkpoint() -> None:
    # They come from the configuration and the data, and must not make a model folder larger.
    assert not build_loss("cross-entropy", 3, torch.ones(3)).state_dict()

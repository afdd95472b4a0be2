"""Losses, against other libraries and by hand; void pixels must not matter."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.catalogue.losses import LOSSES, loss_terms
from trainer.config import TrainConfig
from trainer.data.collection import VOID
from trainer.network import losses
from trainer.network.losses import mean_loss
from trainer.network.pixel_losses import BinaryCrossEntropy, CrossEntropy

WEIGHTS = [None, (0.25, 0.75), (0.001, 0.002)]


def build_loss(
    name: str, classes: int, weights: Tensor | None = None, **settings: float
) -> nn.Module:
    """Return the named loss with these weights."""
    chosen = TrainConfig(loss=name, **settings).settings("loss")
    return losses.build_loss(name, chosen, classes, lambda _: weights)


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


# Of every loss: how many channels, for how many classes.
CASES = [
    ("bce", 1, 2),
    ("cross-entropy", 2, 2),
    ("cross-entropy", 5, 5),
    ("focal", 1, 2),
    ("focal", 4, 4),
    ("hinge", 2, 2),
    ("hinge", 5, 5),
    ("dice", 1, 2),
    ("dice", 4, 4),
    ("jaccard", 1, 2),
    ("jaccard", 4, 4),
    ("tversky", 1, 2),
    ("tversky", 4, 4),
    ("lovasz", 1, 2),
    ("lovasz", 4, 4),
    ("auto", 1, 2),
    ("auto", 3, 3),
]
SUMS = [("bce+dice", 1, 2), ("0.5*cross-entropy+lovasz", 2, 2), ("dice+2*hinge+focal", 3, 3)]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "channels", "classes"), CASES + SUMS)
def test_void_pixels_have_no_gradient(
    name: str, channels: int, classes: int, weighted: bool
) -> None:
    logits, target = batch(channels)
    weights = torch.linspace(0.1, 1, classes) if weighted else None
    mean(build_loss(name, classes, weights), logits, target).backward()
    assert logits.grad is not None
    void = (target == VOID)[:, None].expand_as(logits)
    assert not logits.grad[void].any()
    assert logits.grad[~void].any()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "channels", "classes"), CASES + SUMS)
def test_what_stands_under_void_does_not_matter(
    name: str, channels: int, classes: int, weighted: bool
) -> None:
    logits, target = batch(channels)
    loss = build_loss(name, classes, torch.linspace(0.1, 1, classes) if weighted else None)
    changed = torch.where((target == VOID)[:, None], torch.full_like(logits, 30.0), logits)
    assert mean(loss, changed, target).item() == pytest.approx(mean(loss, logits, target).item())


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "channels", "classes"), CASES + SUMS)
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
@pytest.mark.parametrize(("name", "channels", "classes"), CASES + SUMS)
def test_sums_of_parts_are_the_sums_of_the_whole(
    name: str, channels: int, classes: int, weighted: bool
) -> None:
    logits, target = batch(channels)
    target[0] = VOID
    loss = build_loss(name, classes, torch.linspace(0.1, 1, classes) if weighted else None)
    whole = loss(logits, target)
    terms = len(loss_terms(name))
    assert [tuple(part.shape) for part in whole] == [(3, terms), (3, terms)]
    parts = [loss(logits[i : i + 1], target[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(torch.cat([part.value for part in parts]), whole.value)
    torch.testing.assert_close(sum(part.sums() for part in parts), whole.sums())


@pytest.mark.parametrize(("name", "channels", "classes"), SUMS)
def test_a_weighted_sum_is_the_sum_of_its_terms_however_a_split_is_cut(
    name: str, channels: int, classes: int
) -> None:
    """Void makes images count unequally in losses over pixels, and not in those over images."""
    logits, target = batch(channels)
    target[0, :6] = VOID
    loss = build_loss(name, classes)
    expected = sum(
        factor * mean(build_loss(one, classes), logits, target).item()
        for factor, one in loss_terms(name)
    )
    assert mean(loss, logits, target).item() == pytest.approx(expected, rel=1e-5)
    parts = loss(logits[:1], target[:1]).sums() + loss(logits[1:], target[1:]).sums()
    assert mean_loss(parts).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("name", "channels", "classes"), CASES + SUMS)
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
    wanted = [build_loss(name, classes).out_channels for name, _, classes in CASES + SUMS]
    assert wanted == [channels for _, channels, _ in CASES + SUMS]


def test_every_loss_has_its_tests() -> None:
    assert {name for name, _, _ in CASES} == set(LOSSES)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("bce+dise", "unknown loss 'dise'.*did you mean 'dice'"),
        ("x*bce", "loss: 'x' in 'x.bce' is no number"),
        ("0*bce+dice", "loss: 0.0 in '0.bce.dice' must be a positive number"),
        ("-1*bce", "must be a positive number"),
        ("inf*bce", "must be a positive number"),
        ("bce+bce", "names one twice"),
        ("bce+", "unknown loss ''"),
        ("", "unknown loss ''"),
        ("2*", "unknown loss ''"),
    ],
)
def test_what_is_no_sum_of_losses_is_refused(written: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TrainConfig(loss=written)


def test_terms_that_want_different_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="take bce or cross-entropy, not both"):
        build_loss("bce+cross-entropy", 2)


def test_a_sum_has_the_settings_of_its_terms() -> None:
    config = TrainConfig(loss="focal+tversky", focal_gamma=1.0, class_weights="inverse")
    assert (config.focal_gamma, config.tversky_beta) == (1.0, 0.7)
    with pytest.raises(ValueError, match=r"focal_gamma: -1\.0 must lie in 0 to 10"):
        config.replace(focal_gamma=-1.0)
    with pytest.raises(ValueError, match=r"label_smoothing: focal\+tversky has none"):
        TrainConfig(loss="focal+tversky", label_smoothing=0.1)
    assert copy.deepcopy(config) == config


# Against other libraries and by definition


def one_hot(target: Tensor, classes: int) -> Tensor:
    return F.one_hot(target.long(), classes).permute(0, 3, 1, 2).float()


@pytest.mark.parametrize(("name", "jaccard"), [("dice", False), ("jaccard", True)])
@pytest.mark.parametrize("channels", [1, 4])
def test_overlap_is_monais(name: str, jaccard: bool, channels: int) -> None:
    from monai.losses import DiceLoss

    logits, target = batch(channels, void=0.0)
    binary = channels == 1
    truth = target[:, None].float() if binary else one_hot(target, channels)
    oracle = DiceLoss(
        sigmoid=binary, softmax=not binary, jaccard=jaccard, smooth_nr=1.0, smooth_dr=1.0
    )
    found = mean(build_loss(name, max(channels, 2)), logits, target)
    assert found.item() == pytest.approx(oracle(logits, truth).item(), rel=1e-5)


@pytest.mark.parametrize("channels", [1, 4])
def test_tversky_is_monais(channels: int) -> None:
    from monai.losses import TverskyLoss

    logits, target = batch(channels, void=0.0)
    binary = channels == 1
    truth = target[:, None].float() if binary else one_hot(target, channels)
    oracle = TverskyLoss(
        sigmoid=binary, softmax=not binary, alpha=0.2, beta=0.8, smooth_nr=0.5, smooth_dr=0.5
    )
    found = mean(build_loss("tversky", max(channels, 2), tversky_beta=0.8), logits, target)
    assert found.item() == pytest.approx(oracle(logits, truth).item(), rel=1e-5)


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_is_monais(gamma: float, channels: int) -> None:
    from monai.losses import FocalLoss

    logits, target = batch(channels, void=0.0)
    binary = channels == 1
    truth = target[:, None].float() if binary else one_hot(target, channels)
    by_class = FocalLoss(gamma=gamma, use_softmax=not binary, reduction="none")(logits, truth)
    found = mean(build_loss("focal", max(channels, 2), focal_gamma=gamma), logits, target)
    assert found.item() == pytest.approx(by_class.sum(dim=1).mean().item(), rel=1e-4)


@pytest.mark.parametrize("weighted", [False, True])
def test_without_gamma_focal_is_cross_entropy(weighted: bool) -> None:
    weights = torch.linspace(0.1, 1, 4) if weighted else None
    logits, target = batch(4)
    focal = mean(build_loss("focal", 4, weights, focal_gamma=0.0), logits, target)
    expected = mean(build_loss("cross-entropy", 4, weights), logits, target)
    assert focal.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("weights", [None, (0.25, 0.75)])
def test_smoothing_is_torchs(weights: tuple[float, ...] | None) -> None:
    logits, target = batch(1)
    both = torch.cat([torch.zeros_like(logits), logits], dim=1)
    expected = F.cross_entropy(
        both, target.long(), tensor(weights), ignore_index=VOID, label_smoothing=0.2
    )
    for name, given in (("bce", logits), ("cross-entropy", both)):
        found = mean(build_loss(name, 2, tensor(weights), label_smoothing=0.2), given, target)
        assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_hinge_by_hand() -> None:
    logits = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3]]).log().T.reshape(1, 3, 1, 2)
    target = torch.tensor([[[0, 2]]], dtype=torch.uint8)
    expected = ((1 + 0.2 - 0.7) + (1 + 0.6 - 0.3)) / 2
    assert mean(build_loss("hinge", 3), logits, target).item() == pytest.approx(expected)


def lovasz_by_definition(errors: Tensor, truth: Tensor) -> float:
    """Return the Lovász extension of Jaccard's loss: a sum over sets of the worst pixels."""
    order = errors.argsort(descending=True)
    total, before = 0.0, 0.0
    for count in range(1, len(order) + 1):
        wrong = torch.zeros_like(truth)
        wrong[order[:count]] = True
        missed, invented = (wrong & truth).sum(), (wrong & ~truth).sum()
        loss = ((missed + invented) / (truth.sum() + invented)).item()
        total += errors[order[count - 1]].item() * (loss - before)
        before = loss
    return total


def test_lovasz_is_its_definition() -> None:
    logits, target = batch(3, void=0.2)
    target[0][target[0] == 2] = 0  # an image that lacks a class
    images = []
    for image, labels in zip(torch.softmax(logits, 1).detach(), target, strict=True):
        kept = labels != VOID
        classes = [
            lovasz_by_definition(
                ((labels == c).float() - image[c]).abs()[kept], (labels == c)[kept]
            )
            for c in range(3)
            if (labels == c).any()
        ]
        images.append(sum(classes) / len(classes))
    found = mean(build_loss("lovasz", 3), logits, target)
    assert found.item() == pytest.approx(sum(images) / 3, rel=1e-4)


@pytest.mark.parametrize("name", ["jaccard", "lovasz"])
def test_of_masks_that_are_sure_it_is_one_less_iou(name: str) -> None:
    target = torch.zeros(1, 6, 6, dtype=torch.uint8)
    target[:, :3] = 1
    logits = torch.full((1, 1, 6, 6), -100.0)
    logits[..., 2:5, :] = 100.0
    iou = 6 / 30
    found = mean(build_loss(name, 2), logits, target).item()
    assert found == pytest.approx(1 - iou, abs=0.02)


@pytest.mark.parametrize("name", ["dice", "jaccard", "tversky", "lovasz"])
def test_without_foreground_what_is_invented_is_learnt_from(name: str) -> None:
    target = torch.zeros(2, 8, 8, dtype=torch.uint8)
    logits = torch.zeros(2, 1, 8, 8, requires_grad=True)
    mean(build_loss(name, 2), logits, target).backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all() and logits.grad.max() > 0 and logits.grad.min() >= 0
    right = mean(build_loss(name, 2), torch.full_like(logits, -50.0), target)
    assert right.item() == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("kind", ["all void", "no foreground", "one class", "usual"])
@pytest.mark.parametrize(("name", "channels", "classes"), CASES + SUMS)
def test_bfloat16_logits_give_finite_gradients(
    name: str, channels: int, classes: int, kind: str
) -> None:
    logits, target = batch(channels)
    if kind != "usual":
        target = torch.full_like(target, {"all void": VOID, "no foreground": 0}.get(kind, 1))
    given = (logits.detach() * 50).bfloat16().requires_grad_()
    loss = mean(build_loss(name, classes), given, target)
    loss.backward()
    assert loss.dtype == torch.float32 and torch.isfinite(loss)
    assert given.grad is not None and torch.isfinite(given.grad).all()


def test_an_unknown_loss_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"unknown loss 'dicee'.*bce"):
        build_loss("dicee", 2)


def test_weights_are_no_part_of_a_checkpoint() -> None:
    # They come from the configuration and the data, and must not make a model folder larger.
    assert not build_loss("cross-entropy", 3, torch.ones(3)).state_dict()

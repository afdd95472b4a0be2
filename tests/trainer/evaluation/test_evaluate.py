"""Evaluation: pixels counted image by image, whatever the batches."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix
from torch import Tensor, nn

from trainer.analysis.ratios import PixelCounts, summary
from trainer.analysis.scores import counts, dice, image_scores, iou
from trainer.catalogue.losses import SmoothedLoss
from trainer.data.collection import VOID
from trainer.data.loading import Batch
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.evaluation import Evaluation
from trainer.network.device import choose_device, choose_dtype, processor_name
from trainer.network.forward import Forward
from trainer.network.losses import build_loss, mean_loss


class SaysWhatItSees(nn.Module):
    """A network whose answer is written in the image: the class is the first channel's value."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.was_training: list[bool] = []

    def forward(self, images: Tensor) -> Tensor:
        self.was_training.append(self.training)
        seen = images[:, 0].round().long()
        if self.num_classes == 2:
            return (seen * 4.0 - 2.0)[:, None]
        return 4.0 * nn.functional.one_hot(seen, self.num_classes).permute(0, 3, 1, 2).float()


def forward_of(num_classes: int) -> Forward:
    """Return a forward whose normalisation leaves the bytes as they are."""
    return Forward(
        SaysWhatItSees(num_classes),
        build_loss("auto", SmoothedLoss(), num_classes, lambda _: None),
        mean=(0, 0, 0),
        std=(1 / 255,) * 3,
        device=torch.device("cpu"),
        dtype=torch.float32,
    )


def maps(num_classes: int, images: int = 15, void: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Return targets and predictions ``(images, 9, 14)``; the last class is in neither."""
    random = np.random.default_rng(num_classes)
    present = max(2, num_classes - 1)
    target = random.integers(0, present, (images, 9, 14)).astype(np.uint8)
    noise = random.integers(0, present, target.shape).astype(np.uint8)
    share = np.linspace(0.2, 0.9, images)[:, None, None]
    said = np.where(random.random(target.shape) < share, target, noise).astype(np.uint8)
    target[random.random(target.shape) < void] = VOID
    return target, said


def batches(target: np.ndarray, said: np.ndarray, size: int) -> Iterator[Batch]:
    """Yield the images in a shuffled order, ``size`` at a time."""
    order = np.random.default_rng(0).permutation(len(target))
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        images = np.repeat(said[chosen][:, None], 3, axis=1)
        yield Batch(
            torch.from_numpy(images), torch.from_numpy(target[chosen]), torch.from_numpy(chosen)
        )


def evaluated(
    num_classes: int, *, size: int = 4, images: int = 15, void: float = 0.1, **options: object
) -> Evaluation:
    target, said = maps(num_classes, images, void)
    return evaluate(
        forward_of(num_classes),
        batches(target, said, size),
        split="val",
        images=[f"image {i}" for i in range(images)],
        classes=[f"class {i}" for i in range(num_classes)],
        **options,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("num_classes", [2, 3, 12])
def test_scikit_learn_counts_the_same(num_classes: int) -> None:
    found = evaluated(num_classes)
    target, said = maps(num_classes)
    for index in range(len(target)):
        kept = target[index] != VOID
        expected = confusion_matrix(
            target[index][kept], said[index][kept], labels=list(range(num_classes))
        )
        np.testing.assert_array_equal(found.confusion[index], expected)
    assert found.images == tuple(f"image {i}" for i in range(15))


@pytest.mark.parametrize("num_classes", [2, 12])
def test_batches_of_1_and_7_give_the_same(num_classes: int) -> None:
    whole = evaluated(num_classes, size=15, void=0.4)
    for size in (1, 7):
        found = evaluated(num_classes, size=size, void=0.4)
        np.testing.assert_array_equal(found.confusion, whole.confusion)
        assert found.metrics() == pytest.approx(whole.metrics(), rel=1e-6, nan_ok=True)


def test_metrics_are_named_as_the_store_names_them() -> None:
    found = evaluated(4)
    metrics = found.metrics()
    scores = summary(PixelCounts(*counts(found.confusion)))
    for key in ("dice", "miou", "accuracy", "dice_per_image", "dice_no_background"):
        assert metrics[f"val/{key}"] == scores[key]
    assert metrics["val/miou_no_background"] == scores["miou_no_background"]
    assert metrics["val/foreground_share"] == scores["foreground_share"]
    expected = iou(*counts(found.confusion.sum(axis=0)))
    for index in range(3):
        assert metrics[f"val/iou/class {index}"] == pytest.approx(expected[index])
    assert "val/iou/class 3" not in metrics  # in neither map, so it has none
    assert math.isfinite(metrics["val/loss"])
    assert all(isinstance(value, float) for value in metrics.values())


def test_the_loss_is_the_mean_over_the_labelled_pixels() -> None:
    found = evaluated(2, size=7, void=0.3)
    target, said = maps(2, void=0.3)
    wrong = float((target != said)[target != VOID].mean())
    right_loss, wrong_loss = math.log1p(math.exp(-2)), math.log1p(math.exp(2))
    assert found.loss == pytest.approx((1 - wrong) * right_loss + wrong * wrong_loss, rel=1e-5)


def test_all_void_has_no_score() -> None:
    metrics = evaluated(3, void=2).metrics()
    assert math.isnan(metrics["val/dice"])
    assert metrics["val/loss"] == 0
    assert not [key for key in metrics if key.startswith("val/iou/")]


def test_one_image() -> None:
    found = evaluated(3, images=1)
    assert found.metrics()["val/dice_per_image"] == pytest.approx(found.metrics()["val/dice"])


def test_no_image_at_all() -> None:
    found = evaluated(2, images=0)
    assert found.confusion.shape == (0, 2, 2)
    assert math.isnan(found.loss)


def test_the_maps_asked_for_are_kept() -> None:
    _, said = maps(3)
    found = evaluated(3, keep=(2, 11))
    assert set(found.predictions) == {2, 11}
    for index, predicted in found.predictions.items():
        assert predicted.dtype == np.uint8
        np.testing.assert_array_equal(predicted, said[index])


@pytest.mark.parametrize("size", [1, 4, 15])
def test_the_worst_are_kept_lowest_first(size: int) -> None:
    found = evaluated(3, size=size, keep=(14,), keep_worst=4)
    scores = image_scores(found.confusion)
    worst = np.argsort(scores, kind="stable")[:4].tolist()
    assert found.worst(4) == [(index, scores[index]) for index in worst]
    assert set(found.predictions) == {14, *worst}
    _, said = maps(3)
    for index in worst:
        np.testing.assert_array_equal(found.predictions[index], said[index])


def test_an_image_without_a_score_is_never_the_worst() -> None:
    target, said = maps(2, 5)
    target[1] = VOID
    found = evaluate(
        forward_of(2),
        batches(target, said, 2),
        split="val",
        images=list("abcde"),
        classes=["b", "c"],
        keep_worst=5,
    )
    assert sorted(index for index, _ in found.worst(5)) == [0, 2, 3, 4]
    assert sorted(found.predictions) == [0, 2, 3, 4]


@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_evaluated_and_then_as_it_was(training: bool) -> None:
    forward = forward_of(2)
    forward.model.train(training)
    target, said = maps(2)
    evaluate(forward, batches(target, said, 4), split="val", images=["i"] * 15, classes=["b", "c"])
    assert forward.model.training == training
    assert set(forward.model.was_training) == {False}

    def broken() -> Iterator[Batch]:
        yield next(batches(target, said, 4))
        raise OSError("a file is gone")

    with pytest.raises(OSError, match="gone"):
        evaluate(forward, broken(), split="val", images=["i"] * 15, classes=["b", "c"])
    assert forward.model.training == training


def test_boundary_iou_is_there_when_asked_for() -> None:
    assert "val/boundary_iou" not in evaluated(3).metrics()
    assert 0 <= evaluated(3, boundary=True).metrics()["val/boundary_iou"] <= 1


def test_the_confusion_is_written_whole(tmp_path: Path) -> None:
    found = evaluated(3)
    found.write_confusion(tmp_path / "evaluation", epoch=7)
    value = json.loads((tmp_path / "evaluation" / "confusion.json").read_text())
    assert (value["split"], value["epoch"]) == ("val", 7)
    assert value["classes"] == ["class 0", "class 1", "class 2"]
    matrix = np.array(value["matrix"])
    assert matrix.sum() == found.confusion.sum()
    target, said = maps(3)
    assert matrix[0, 1] == ((target == 0) & (said == 1)).sum()  # rows are targets
    np.testing.assert_allclose(dice(*counts(matrix))[:2], dice(*counts(found.confusion.sum(0)))[:2])
    assert [path.name for path in (tmp_path / "evaluation").iterdir()] == ["confusion.json"]


def test_images_are_normalised_on_the_way() -> None:
    class Sees(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            self.seen = images
            return images[:, :1]

    model = Sees()
    forward = Forward(
        model,
        build_loss("bce", SmoothedLoss(), 2, lambda _: None),
        mean=(0.5, 0.25, 0.0),
        std=(0.25, 0.5, 1.0),
        device=torch.device("cpu"),
        dtype=torch.float32,
    )
    images = torch.full((1, 3, 2, 2), 255, dtype=torch.uint8)
    logits, loss, _ = forward(
        Batch(images, torch.ones((1, 2, 2), dtype=torch.uint8), torch.zeros(1, dtype=torch.int64))
    )
    torch.testing.assert_close(model.seen[0, :, 0, 0], torch.tensor([2.0, 1.5, 1.0]))
    assert logits.dtype == torch.float32
    assert loss.item() == pytest.approx(math.log1p(math.exp(-2)))


class OneLayer(nn.Module):
    """A convolution that remembers what it was computed in."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.conv(images)
        self.dtype = logits.dtype
        return logits


def test_bfloat16_computes_logits_and_leaves_the_loss_alone() -> None:
    model = OneLayer()
    forward = Forward(
        model,
        build_loss("bce", SmoothedLoss(), 2, lambda _: None),
        mean=(0, 0, 0),
        std=(1, 1, 1),
        device=torch.device("cpu"),
        dtype=torch.bfloat16,
    )
    model.train()
    images = torch.zeros((1, 3, 2, 2), dtype=torch.uint8)
    logits, loss, _ = forward(
        Batch(images, torch.ones((1, 2, 2), dtype=torch.uint8), torch.zeros(1, dtype=torch.int64))
    )
    assert model.dtype == torch.bfloat16
    assert (logits.dtype, loss.dtype) == (torch.float32, torch.float32)
    assert model.conv.weight.dtype == torch.float32


@pytest.mark.parametrize("name", ["tpu", "cuda:99", "mps", "cuda:x", ""])
def test_a_device_that_is_not_there_is_said(name: str) -> None:
    with pytest.raises(ValueError, match=r"^device: "):
        choose_device(name)


def test_devices_and_precisions_by_name() -> None:
    cpu = torch.device("cpu")
    assert choose_device("cpu") == cpu
    assert choose_device("auto").type in ("cpu", "cuda")
    assert choose_dtype("float32", cpu) == torch.float32
    assert choose_dtype("bfloat16", cpu) == torch.bfloat16


FLAGS = {
    "none": ("flags\t\t: fpu sse2 avx2 avx512f\n", torch.float32),
    "avx512": ("processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 amx_int8\n", torch.bfloat16),
    "amx": ("model name\t: X\nflags\t: fpu amx_bf16\n", torch.bfloat16),
    "arm": ("Features\t: fp asimd bf16\n", torch.bfloat16),
    "a part of a name": ("flags\t: notbf16 avx512_bf16x\n", torch.float32),
    "flags of something else": ("vmx flags\t: bf16\n", torch.float32),
    "nothing": ("", torch.float32),
}


@pytest.mark.parametrize("flags", FLAGS)
def test_auto_is_what_the_processor_says_that_it_computes(
    flags: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text, expected = FLAGS[flags]
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr("trainer.network.device.CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.delenv("SEGSCOPE_AUTO_PRECISION", raising=False)
    assert choose_dtype("auto", torch.device("cpu")) == expected
    # What somebody says stands above what is there, both ways.
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        assert choose_dtype(name, torch.device("cpu")) == dtype
        monkeypatch.setenv("SEGSCOPE_AUTO_PRECISION", name)
        assert choose_dtype("auto", torch.device("cpu")) == dtype


def test_a_system_without_that_file_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.network.device.CPU_INFO", Path("nowhere"))
    monkeypatch.delenv("SEGSCOPE_AUTO_PRECISION", raising=False)
    assert choose_dtype("auto", torch.device("cpu")) == torch.float32
    assert processor_name(torch.device("cpu"))


def test_an_unknown_meaning_of_auto_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGSCOPE_AUTO_PRECISION", "float8")
    with pytest.raises(ValueError, match=r"SEGSCOPE_AUTO_PRECISION 'float8'.*known: bfloat16"):
        choose_dtype("auto", torch.device("cpu"))


def test_auxiliary_logits_are_learnt_from_and_do_not_count_in_the_loss_that_is_told() -> None:
    class Deep(OneLayer):
        auxiliary_weight = 0.4

        def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:  # type: ignore[override]
            logits = super().forward(images)
            return (logits, logits + 1, logits - 2) if self.training else logits

    model = Deep()
    forward = Forward(
        model,
        build_loss("bce", SmoothedLoss(), 2, lambda _: None),
        mean=(0, 0, 0),
        std=(1, 1, 1),
        device=torch.device("cpu"),
        dtype=torch.float32,
    )
    images, targets = torch.zeros((1, 3, 2, 2), dtype=torch.uint8), torch.ones((1, 2, 2))
    batch = Batch(images, targets.to(torch.uint8), torch.zeros(1, dtype=torch.int64))
    logit = model.conv.bias.item()  # type: ignore[union-attr]
    own, first, second = (math.log1p(math.exp(-x)) for x in (logit, logit + 1, logit - 2))
    learnt = forward(batch)
    assert learnt.loss.item() == pytest.approx(own + 0.4 * (first + second), rel=1e-5)
    assert mean_loss(learnt.sums).item() == pytest.approx(own, rel=1e-5)
    model.eval()
    assert forward(batch).loss.item() == pytest.approx(own, rel=1e-5)


@pytest.mark.parametrize("scored", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("trained", [torch.float32, torch.bfloat16])
def test_scores_are_of_one_arithmetic_whatever_it_trains_in(
    trained: torch.dtype, scored: torch.dtype
) -> None:
    model = OneLayer()
    forward = Forward(
        model,
        build_loss("bce", SmoothedLoss(), 2, lambda _: None),
        mean=(0, 0, 0),
        std=(1, 1, 1),
        device=torch.device("cpu"),
        dtype=trained,
        eval_dtype=scored,
    )
    batch = Batch(
        torch.zeros((1, 3, 2, 2), dtype=torch.uint8),
        torch.ones((1, 2, 2), dtype=torch.uint8),
        torch.zeros(1, dtype=torch.int64),
    )
    forward(batch)
    assert model.dtype == trained
    evaluate(forward, [batch], split="val", images=["a"], classes=["background", "car"])
    assert model.dtype == scored
    forward(batch)
    assert model.dtype == trained

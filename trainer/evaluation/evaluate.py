"""Evaluate a model on a split: one confusion matrix an image, and everything from those."""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from trainer.analysis.scores import Counts, counts, image_scores, iou, nanmean, summary
from trainer.data.loading import Batch
from trainer.evaluation.boundary import boundary_confusion
from trainer.evaluation.metrics import confusion_per_image, predicted_classes
from trainer.files import write_json
from trainer.network.forward import Forward
from trainer.network.losses import mean_loss


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The outcome on one split.

    ``confusion`` is ``(images, classes, classes)`` in pixels, in the order of ``images``;
    ``loss`` the mean over all pixels. ``predictions`` holds the predicted map ``(height, width)``
    of the images that were asked for, and of the ``worst``, by their index. ``boundary`` is
    ``(images, 3, classes)``, TP, FP and FN of the boundary bands, or None when not asked for.
    """

    images: tuple[str, ...]
    classes: tuple[str, ...]
    confusion: Counts
    loss: float
    predictions: dict[int, np.ndarray] = field(default_factory=dict)
    worst: tuple[int, ...] = ()
    boundary: Counts | None = None

    def metrics(self, prefix: str) -> dict[str, float]:
        """Return the metrics as the store names them; a class that never appears has no IoU."""
        scores = summary(self.confusion)
        scores.pop("target_foreground_share")
        named = {f"{prefix}/{key}": value for key, value in scores.items()}
        per_class = iou(*counts(self.confusion.sum(axis=0)))
        named |= {
            f"{prefix}/iou/{name}": float(value)
            for name, value in zip(self.classes, per_class, strict=True)
            if not np.isnan(value)
        }
        if self.boundary is not None:
            bands = iou(*self.boundary.sum(axis=0))
            named[f"{prefix}/boundary_iou"] = float(nanmean(bands))
        return {f"{prefix}/loss": self.loss, **named}


@torch.inference_mode()
def evaluate(
    forward: Forward,
    batches: Iterable[Batch],
    *,
    images: Sequence[str],
    classes: Sequence[str],
    keep: Collection[int] = (),
    keep_worst: int = 0,
    boundary: bool = False,
) -> Evaluation:
    """Run the model over ``batches`` and count pixels image by image.

    ``images`` are the names that the batches' indices point into. The predicted maps of the
    images in ``keep`` and of the ``keep_worst`` with the lowest Dice are returned with the counts.
    ``boundary`` counts the boundary bands too, which takes longer than all the rest.
    """
    confusion = np.zeros((len(images), len(classes), len(classes)), np.int64)
    kept: dict[int, np.ndarray] = {}
    lowest = _Lowest(keep_worst)
    bands = np.zeros((len(images), 3, len(classes)), np.int64)
    sums: list[Tensor] = []
    with _evaluating(forward.model):
        for batch in batches:
            passed = forward(batch)
            sums.append(passed.sums)
            predicted = predicted_classes(passed.logits)
            targets = batch.targets.to(predicted.device)
            counted = confusion_per_image(predicted, targets, len(classes)).cpu().numpy()
            indices = batch.indices.tolist()
            confusion[indices] = counted
            for row, score in enumerate(image_scores(counted)):
                index = indices[row]
                if index in keep:
                    kept[index] = predicted[row].cpu().numpy()
                if lowest.admits(score):
                    lowest.add(score, index, predicted[row].cpu().numpy())
                if boundary:
                    maps = predicted[row].cpu().numpy(), batch.targets[row].numpy()
                    bands[index] = boundary_confusion(*maps, len(classes))
    return Evaluation(
        images=tuple(images),
        classes=tuple(classes),
        confusion=confusion,
        loss=split_loss(sums),
        predictions=kept | lowest.maps,
        worst=lowest.indices,
        boundary=bands if boundary else None,
    )


def split_loss(batches: Sequence[Tensor]) -> float:
    """Return the loss of a split from the sums of its batches; NaN without any batch."""
    if not batches:
        return math.nan
    # One copy from the device, and sums in float64.
    return mean_loss(torch.stack(list(batches)).cpu().double().sum(dim=0)).item()


def write_confusion(run_folder: Path, split: str, epoch: int, evaluation: Evaluation) -> None:
    """Write ``evaluation/confusion.json``: pixels by target (row) and predicted class (column)."""
    value = {
        "split": split,
        "epoch": epoch,
        "classes": list(evaluation.classes),
        "matrix": evaluation.confusion.sum(axis=0).tolist(),
    }
    write_json(run_folder / "evaluation" / "confusion.json", value)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


class _Lowest:
    """The predicted maps of the few images that scored lowest so far."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._found: list[tuple[float, int, np.ndarray]] = []

    def admits(self, score: float) -> bool:
        if self._number == 0 or np.isnan(score):
            return False
        return len(self._found) < self._number or score < self._found[-1][0]

    def add(self, score: float, index: int, predicted: np.ndarray) -> None:
        self._found.append((float(score), index, predicted))
        self._found.sort(key=lambda entry: entry[:2])
        del self._found[self._number :]

    @property
    def indices(self) -> tuple[int, ...]:
        return tuple(index for _, index, _ in self._found)

    @property
    def maps(self) -> dict[int, np.ndarray]:
        return {index: predicted for _, index, predicted in self._found}

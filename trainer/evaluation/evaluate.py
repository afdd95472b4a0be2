"""Evaluate a model on a split: one confusion matrix an image, and everything from those."""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from trainer.analysis.scores import image_scores
from trainer.data.loading import Batch
from trainer.evaluation.boundary import boundary_confusion
from trainer.evaluation.evaluation import Evaluation
from trainer.evaluation.metrics import confusion_per_image, predicted_classes
from trainer.network.forward import Forward
from trainer.network.losses import mean_loss


@torch.inference_mode()
def evaluate(
    forward: Forward,
    batches: Iterable[Batch],
    *,
    split: str,
    images: Sequence[str],
    classes: Sequence[str],
    groups: Sequence[str] | None = None,
    keep: Collection[int] = (),
    keep_worst: int = 0,
    boundary: bool = False,
    judgement: type[Evaluation] = Evaluation,
) -> Evaluation:
    """Run the model over ``batches`` and count pixels image by image.

    ``images`` are the names in ``split`` that the batches' indices point into, ``groups`` the
    group of each. The predicted maps of the images in ``keep`` and of the ``keep_worst`` with the
    lowest Dice come with the counts. ``boundary`` counts the boundary bands too, which takes longer
    than all the rest. ``judgement`` is what is made of the counts.
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
                if lowest.admits(score, index):
                    lowest.add(score, index, predicted[row].cpu().numpy())
                if boundary:
                    maps = predicted[row].cpu().numpy(), batch.targets[row].numpy()
                    bands[index] = boundary_confusion(*maps, len(classes))
    return judgement(
        split=split,
        images=tuple(images),
        classes=tuple(classes),
        confusion=confusion,
        groups=None if groups is None else tuple(groups),
        loss=split_loss(sums),
        predictions=kept | lowest.maps,
        boundary=bands if boundary else None,
    )


def split_loss(batches: Sequence[Tensor]) -> float:
    """Return the loss of a split from the sums of its batches; NaN without any batch."""
    if not batches:
        return math.nan
    # One copy from the device, and sums in float64.
    return mean_loss(torch.stack(list(batches)).cpu().double().sum(dim=0)).item()


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

    def admits(self, score: float, index: int) -> bool:
        if self._number == 0 or np.isnan(score):
            return False
        return len(self._found) < self._number or (score, index) < self._found[-1][:2]

    def add(self, score: float, index: int, predicted: np.ndarray) -> None:
        self._found.append((float(score), index, predicted))
        self._found.sort(key=lambda entry: entry[:2])
        del self._found[self._number :]

    @property
    def maps(self) -> dict[int, np.ndarray]:
        return {index: predicted for _, index, predicted in self._found}

"""What masks scored on one split, however they came about: the one result of an evaluation."""

from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from trainer.analysis.bootstrap import Interval, score_intervals
from trainer.analysis.findings import plain
from trainer.analysis.ratios import PixelCounts, Sample, summary
from trainer.analysis.score_table import SCORES
from trainer.analysis.scores import Counts, counts, dice, image_scores, iou
from trainer.evaluation.per_image import write_part
from trainer.files import write_json
from trainer.tracking.class_names import class_keys


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The pixels counted on one split, and every score of them.

    ``groups`` names the group of each image, None where it is unknown.
    ``confusion`` is ``(images, classes, classes)`` in pixels, in the order of ``images``;
    ``boundary`` ``(images, 3, classes)``, TP, FP and FN of the boundary bands, or None when not
    asked for. ``loss`` is the mean over all pixels, None for masks that no loss is known of.
    ``predictions`` holds the predicted map ``(height, width)`` of some images, by their index.
    """

    split: str
    images: tuple[str, ...]
    classes: tuple[str, ...]
    confusion: Counts
    groups: tuple[str, ...] | None = None
    boundary: Counts | None = None
    loss: float | None = None
    predictions: dict[int, np.ndarray] = field(default_factory=dict)

    shown: ClassVar[tuple[str, ...]] = ("dice", "miou")
    """The scores that are told of every epoch, of the training images too."""

    @cached_property
    def _counted(self) -> list[PixelCounts]:
        counted = [PixelCounts(*counts(self.confusion), groups=self.groups)]
        if self.boundary is not None:
            bands = self.boundary.swapaxes(0, 1)
            counted.append(PixelCounts(*bands, kind="bands", groups=self.groups))
        return counted

    @cached_property
    def all_scores(self) -> dict[str, float]:
        """Every score of the table that there are counts for."""
        return {key: value for each in self._counted for key, value in summary(each).items()}

    def scores(self) -> dict[str, float]:
        """Return the headline scores."""
        return {key: value for key, value in self.all_scores.items() if SCORES[key].headline}

    def metrics(self) -> dict[str, float]:
        """Return the metrics as the store names them; a class that never appears has no IoU."""
        keys = class_keys(self.classes)
        per_class = {f"iou/{keys[name]}": of["iou"] for name, of in self.per_class().items()}
        named = self.all_scores | {k: v for k, v in per_class.items() if not np.isnan(v)}
        if self.loss is not None:
            named["loss"] = self.loss
        return {f"{self.split}/{key}": value for key, value in named.items()}

    def per_class(self) -> dict[str, dict[str, float]]:
        """Return Dice and IoU of each class over the split; NaN for one that never appears."""
        total = counts(self.confusion.sum(axis=0))
        pairs = zip(self.classes, dice(*total), iou(*total), strict=True)
        return {name: {"dice": float(d), "iou": float(i)} for name, d, i in pairs}

    @property
    def sample(self) -> Sample:
        """How many images there are, and of how many groups."""
        return self._counted[0].sample

    def intervals(self) -> dict[str, Interval]:
        """Return 95 % intervals of the headline scores over the groups of images."""
        return {key: i for each in self._counted for key, i in score_intervals(each).items()}

    def worst(self, number: int) -> list[tuple[int, float]]:
        """Return the images with the lowest Dice, the lowest first, as (index, Dice)."""
        scores = image_scores(self.confusion)
        order = [int(i) for i in np.argsort(scores, kind="stable") if np.isfinite(scores[i])]
        return [(i, float(scores[i])) for i in order[:number]]

    def told(self) -> str:
        """Return `shown` in words, for the log."""
        return "  ".join(f"{key} {self.all_scores[key]:.4f}" for key in self.shown)

    def to_json(self) -> dict[str, Any]:
        """Return what ``trainer evaluate --json`` prints of a split."""
        return {
            **self.scores(),
            **asdict(self.sample),
            "iou": {name: values["iou"] for name, values in self.per_class().items()},
            "dice_of_classes": {n: v["dice"] for n, v in self.per_class().items()},
            "intervals": {k: plain([i.low, i.high]) for k, i in self.intervals().items()},
            "worst": [{"image": self.images[i], "dice": score} for i, score in self.worst(5)],
        }

    def write(self, folder: Path, *, epoch: int | None = None) -> None:
        """Write the scores of each image and the confusion matrix into ``folder``."""
        self.write_images(folder, epoch=epoch or 0)
        self.write_confusion(folder, epoch=epoch)

    def write_images(
        self, folder: Path, *, epoch: int, lr: float = np.nan, grad_norm: float = np.nan
    ) -> None:
        """Write a Parquet part of the scores per image and class, as `write_part` describes it."""
        write_part(
            folder,
            epoch=epoch,
            images=self.images,
            classes=self.classes,
            confusion=self.confusion,
            lr=lr,
            grad_norm=grad_norm,
            groups=self.groups,
        )

    def write_confusion(self, folder: Path, *, epoch: int | None = None) -> None:
        """Write ``confusion.json``: pixels by target (row) and predicted class (column)."""
        value = {
            "split": self.split,
            **({} if epoch is None else {"epoch": epoch}),
            "classes": list(self.classes),
            "matrix": self.confusion.sum(axis=0).tolist(),
        }
        write_json(folder / "confusion.json", value)

"""What a classifier scored on one split: an `Evaluation` of which an image is one pixel."""

from collections.abc import Mapping

import numpy as np

from trainer.analysis.bootstrap import Interval, score_intervals
from trainer.analysis.ratios import PixelCounts
from trainer.analysis.scores import Counts, counts, quotient
from trainer.classification.config import SCORES
from trainer.evaluation.evaluation import Evaluation
from trainer.tracking.class_names import class_keys


class Judgement(Evaluation):
    """The images counted on one split, and the scores of `SCORES`."""

    shown = SCORES

    def metrics(self) -> dict[str, float]:
        """Return the metrics as the store names them; a class without an image has no recall."""
        keys = class_keys(self.classes)
        of_classes = zip(self.classes, recall(self.confusion.sum(axis=0)), strict=True)
        named = {key: self.all_scores[key] for key in SCORES}
        named |= {f"recall/{keys[n]}": float(r) for n, r in of_classes if not np.isnan(r)}
        if self.loss is not None:
            named["loss"] = self.loss
        return {f"{self.split}/{key}": value for key, value in named.items()}

    def with_intervals(self) -> str:
        """Return what `told_with_intervals` says."""
        return told_with_intervals(self._counted[0])


def recall(confusion: Counts) -> np.ndarray:
    """Return the share of each class's images that was found; NaN where there is none."""
    tp, _, fn = counts(confusion)
    return quotient(tp, tp + fn)


def precision(confusion: Counts) -> np.ndarray:
    """Return the share of the images said to be of each class that are; NaN where none was."""
    tp, fp, _ = counts(confusion)
    return quotient(tp, tp + fp)


def told_with_intervals(counted: PixelCounts) -> str:
    """Return each of `SCORES` with its 95 % interval over the groups of images, in words."""
    found: Mapping[str, Interval] = score_intervals(counted, SCORES)
    said = [f"{key.replace('_', ' ')} {_told(interval)}" for key, interval in found.items()]
    return f"{', '.join(said)} ({counted.sample})"


def _told(interval: Interval) -> str:
    if np.isnan(interval.low):
        return f"{interval.value:.4f} (too few for an interval)"
    if interval.low == interval.high:  # As where no image is wrong, or one class is always said.
        return f"{interval.value:.4f} (no interval: every draw is alike)"
    return f"{interval.value:.4f} [{interval.low:.4f}, {interval.high:.4f}]"

"""The scores, one entry each: what is logged, monitored, compared, shown and documented.

The mean Dice per image has two conventions in the field, which differ much where classes are
rare. ``dice_per_image`` is the one in which a false alarm counts: nnU-Net, whose evaluation most
papers with per-image means use or follow, leaves out an image only where neither map has the
class. A model must not gain from finding what is not there. What every run ever stored under that
name is this. The other one has a name of its own.

A new score is a new entry of `SCORES` and a row in docs/metrics.md, which a test compares with it.
Nothing heavy is imported here, so that the configuration and ``--help`` may read the table.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from trainer import names

Terms = Callable[[Any, Any, Any], tuple[Any, Any]]
"""From TP, FP and FN ``(…, images, classes)`` to a numerator and a denominator ``(…, terms)``."""


def dice_terms(tp: Any, fp: Any, fn: Any) -> tuple[Any, Any]:
    """Return 2 TP and 2 TP + FP + FN of each class."""
    return 2 * tp, 2 * tp + fp + fn


def _dice_where_present(tp: Any, fp: Any, fn: Any) -> tuple[Any, Any]:
    there = tp + fn > 0
    return 2 * tp, (2 * tp + fp + fn) * there


def iou_terms(tp: Any, fp: Any, fn: Any) -> tuple[Any, Any]:
    """Return TP and TP + FP + FN of each class."""
    return tp, tp + fp + fn


def _accuracy(tp: Any, fp: Any, fn: Any) -> tuple[Any, Any]:  # noqa: ARG001
    return _over_classes(tp), _over_classes(tp + fn)


def _recall(tp: Any, fp: Any, fn: Any) -> tuple[Any, Any]:  # noqa: ARG001
    return tp, tp + fn


def _foreground_share(tp: Any, fp: Any, fn: Any) -> tuple[Any, Any]:
    return _over_classes((tp + fp)[..., 1:]), _over_classes(tp + fn)


def _over_classes(values: Any) -> Any:
    return values.sum(axis=-1, keepdims=True)


def headline_classes(num_classes: int) -> slice:
    """Return the classes whose Dice counts: the foreground alone when there are two."""
    return slice(1, 2) if num_classes == 2 else slice(0, num_classes)


def _every_class(num_classes: int) -> slice:
    return slice(0, num_classes)


def _no_background(num_classes: int) -> slice:
    return slice(1, num_classes)


@dataclass(frozen=True, kw_only=True)
class Score:
    """A score: the mean over terms of Σ numerator / Σ denominator, sums over images."""

    label: str
    """What people read."""
    definition: str
    """What is computed, in words: the help of columns, and a row of docs/metrics.md."""
    terms: Terms
    classes: Callable[[int], slice] = _every_class
    """From the number of classes to those that count."""
    per_image: bool = False
    """Each image's quotient, averaged over the images that have one, instead of sums."""
    counts: Literal["pixels", "bands"] = "pixels"
    """TP, FP and FN of all pixels, or of the boundary bands, which are counted when asked for."""
    higher_is_better: bool | None = True
    """None where neither is: such a score is logged, and neither monitored nor compared."""
    headline: bool = False
    """Whether an evaluation and a comparison show it first."""


AVERAGED = "val/ema"
"""In the place of ``val``: scores, on the same images, of the average of a run's weights."""

SCORES: dict[str, Score] = {
    "dice": Score(
        label="Dice",
        definition="Dice (F1): 2 TP / (2 TP + FP + FN). Two classes: the foreground's; more: the "
        "mean over classes",
        terms=dice_terms,
        classes=headline_classes,
        headline=True,
    ),
    "miou": Score(
        label="mIoU",
        definition="mean over classes of IoU (Jaccard), TP / (TP + FP + FN); with two classes, "
        "background and foreground",
        terms=iou_terms,
        headline=True,
    ),
    "accuracy": Score(
        label="Accuracy",
        definition="sum of TP over labelled pixels",
        terms=_accuracy,
        headline=True,
    ),
    "balanced_accuracy": Score(
        label="Balanced accuracy",
        definition="mean over classes of TP / (TP + FN), the share of a class that is found: a "
        "rare class counts as much as a common one",
        terms=_recall,
    ),
    "dice_per_image": Score(
        label="Dice per image",
        definition="each image's Dice, averaged over the images whose target or prediction has the "
        "class, then over classes: a false alarm scores 0, as in nnU-Net's evaluation (Isensee et "
        "al., Nature Methods 2021); small images and small objects weigh as much as large ones",
        terms=dice_terms,
        classes=headline_classes,
        per_image=True,
        headline=True,
    ),
    "dice_per_image_present": Score(
        label="Dice per image with class",
        definition="the same averaged over the images whose target has the class alone, as MONAI's "
        "DiceMetric does by default: a false alarm in an image without the class costs nothing",
        terms=_dice_where_present,
        classes=headline_classes,
        per_image=True,
    ),
    "dice_no_background": Score(
        label="Dice without background",
        definition="mean over classes of Dice, without class 0",
        terms=dice_terms,
        classes=_no_background,
    ),
    "miou_no_background": Score(
        label="mIoU without background",
        definition="mean over classes of IoU, without class 0",
        terms=iou_terms,
        classes=_no_background,
    ),
    "foreground_share": Score(
        label="Foreground share",
        definition="predicted pixels of any class but 0, over labelled pixels",
        terms=_foreground_share,
        higher_is_better=None,
    ),
    "boundary_iou": Score(
        label="Boundary IoU",
        definition="mean over classes, background included, of the IoU of the inner boundary bands "
        "of target and prediction, 2 % of the image diagonal wide (Cheng et al., CVPR 2021); void "
        "is taken out of both before",
        terms=iou_terms,
        counts="bands",
        headline=True,
    ),
}


def headlines(counts: str = "pixels") -> tuple[str, ...]:
    """Return the scores that are shown first, of those that come from such counts."""
    return tuple(key for key, s in SCORES.items() if s.headline and s.counts == counts)


def comparable() -> tuple[str, ...]:
    """Return the scores that two runs may be compared by, from what each image scored."""
    return tuple(
        key
        for key, score in SCORES.items()
        if score.counts == "pixels" and score.higher_is_better is not None
    )


def monitors() -> tuple[str, ...]:
    """Return the metrics that may choose a run's best epoch: high is good, known every epoch."""
    scores = [key for key in comparable() if SCORES[key].higher_is_better]
    return tuple(f"{of}/{key}" for of in ("val", AVERAGED) for key in scores)


def of_average(metric: str) -> bool:
    """Return whether a metric is of the average of the weights."""
    return metric.startswith(f"{AVERAGED}/")


def twin(metric: str) -> str:
    """Return the metric of the training images that stands beside one of the validation images."""
    return re.sub("^val/(ema/)?", "train/", metric)


def check_comparable(name: str) -> None:
    """Raise ``ValueError`` listing the known names unless runs can be compared by ``name``.

    ``dice/2`` and ``iou/2`` are those of class 2 alone.
    """
    kind, _, of_class = name.partition("/")
    if not (kind in ("dice", "iou") and of_class.isdecimal()):
        names.check("score", name, comparable())


_SHARES = re.compile(r"dice|iou|jaccard|(?<![a-z])f1|acc|precision|recall")


def higher_is_better(metric: str) -> bool:
    """Return whether more of a metric, such as ``val/dice`` or ``train/loss``, is better."""
    known = SCORES.get(metric.rpartition("/")[2])
    if known is not None:
        return known.higher_is_better is not False
    if re.match("(train|val|val/ema|test)/iou/", metric):
        return True  # of a class, which may be called anything
    return not any(word in metric for word in ("loss", "time/", "memory/", "grad_norm"))


def is_share(metric: str) -> bool:
    """Return whether a metric's name says that it lies from 0 to 1, which is best."""
    known = SCORES.get(metric.rpartition("/")[2])
    if known is not None:
        return known.higher_is_better is True
    return higher_is_better(metric) and bool(_SHARES.search(metric.lower()))


def title(metric: str) -> str:
    """Return how a metric reads: ``validation Dice`` for ``val/dice``; a strange one as it is."""
    split, _, key = metric.rpartition("/")
    words = {"train": "training", "val": "validation", AVERAGED: "validation", "test": "test"}
    if split not in words or key not in SCORES:
        return metric
    return f"{words[split]} {SCORES[key].label}{' of averaged weights' * of_average(metric)}"

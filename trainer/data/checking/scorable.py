"""Whether a split can be learnt from and scored, found out before an epoch is trained."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from trainer.analysis.ratios import PixelCounts, summary
from trainer.analysis.score_table import SCORES, monitors
from trainer.wording import counted

Pixels = NDArray[np.int64]


def check_scorable(
    pixels: Mapping[str, Pixels], classes: Sequence[str], *, monitor: str, cure: str
) -> None:
    """Raise ``ValueError`` where nothing can be learnt, or an epoch may have no ``monitor``.

    ``pixels`` holds the pixels of each class in each image of train and val, ``(images,
    classes)``; ``cure`` says how the data is divided otherwise.
    """
    train, val = pixels["train"], pixels["val"]
    shown = train.sum(axis=0) + val.sum(axis=0)
    if np.count_nonzero(shown) < 2:
        only = f"is {classes[int(shown.argmax())]!r}" if shown.any() else "is void"
        raise ValueError(
            f"data: every pixel of {counted(len(train) + len(val), 'mask')} {only}, so that there "
            "is nothing to find; give masks that show something"
        )
    learnt = train.sum(axis=0)
    if np.count_nonzero(learnt) < 2:
        only = f"only {classes[int(learnt.argmax())]!r}" if learnt.any() else "nothing but void"
        raise ValueError(f"split: the training images show {only}, so nothing is learnt; {cure}")
    defined = always_defined(val)
    if monitor not in defined:
        others = f", or --monitor {defined[0]}" if defined else ""
        raise ValueError(
            f"split: no validation image shows {_wanted(monitor, classes)}, so {monitor} is not "
            f"defined; {cure}{others}"
        )


def always_defined(pixels: Pixels) -> tuple[str, ...]:
    """Return the metrics that have a value on such images, whatever is predicted.

    A prediction without any error leaves the most undefined: a false alarm gives a class that no
    image shows a Dice of 0.
    """
    if not len(pixels):
        return ()
    nothing = np.zeros_like(pixels)
    scores = summary(PixelCounts(pixels, nothing, nothing))
    return tuple(key for key in monitors() if math.isfinite(scores[key.rpartition("/")[2]]))


def one_sided(pixels: Mapping[str, Pixels], classes: Sequence[str]) -> list[str]:
    """Return in words which classes only training, or only validation, shows."""
    shown = {split: (pixels[split] > 0).sum(axis=0) for split in ("train", "val")}
    return [
        f"{classes[index]!r} is in no {lacking} image, but in {counted(int(images), having)}: "
        f"{effect}"
        for split, other, lacking, having, effect in (
            ("train", "val", "training", "validation image", "it cannot be learnt"),
            ("val", "train", "validation", "training image", "how well it is found is not known"),
        )
        for index, images in enumerate(shown[other])
        if images and not shown[split][index]
    ]


def _wanted(monitor: str, classes: Sequence[str]) -> str:
    counting = classes[SCORES[monitor.rpartition("/")[2]].classes(len(classes))]
    if len(counting) == len(classes):
        return "anything but void"
    few = ", ".join(counting[:6]) + (", …" if len(counting) > 6 else "")
    return few if len(counting) == 1 else f"any of {few}"

"""How much of a mask each class has, and in how many connected objects."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.data.painting import Map

CONNECTIVITY = "pixels that touch by a side or a corner are one object"


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What a mask has of one class; ``share`` is 0 to 1, ``objects`` None of the background."""

    pixels: int
    share: float
    objects: int | None


def count(mask: Map, num_classes: int) -> list[Counted]:
    """Return what a mask ``(height, width)`` has of each class, the background first."""
    from scipy.ndimage import label

    pixels = np.bincount(mask.ravel(), minlength=num_classes)
    corners_too = np.ones((3, 3), dtype=np.uint8)

    def objects(index: int) -> int:
        return int(label(mask == index, corners_too)[1]) if pixels[index] else 0

    return [
        Counted(
            pixels=int(pixels[index]),
            share=float(pixels[index] / mask.size),
            objects=objects(index) if index else None,
        )
        for index in range(num_classes)
    ]


def together(masks: Sequence[Sequence[Counted]]) -> list[Counted]:
    """Return what several masks, at least one, have of each class in all."""
    of_class = [list(counted) for counted in zip(*masks, strict=True)]
    pixels = [sum(one.pixels for one in counted) for counted in of_class]
    return [
        Counted(
            pixels=found,
            share=found / sum(pixels),
            objects=sum(one.objects or 0 for one in counted) if index else None,
        )
        for index, (found, counted) in enumerate(zip(pixels, of_class, strict=True))
    ]

"""Take a fall apart: which images, and which classes in them, scored lower than before."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FOUND_BEFORE = 0.5
"""Dice from which a class counts as found in an image."""
LOST_NOW = 0.05
"""Dice below which it counts as lost altogether."""


@dataclass(frozen=True, kw_only=True)
class PerImageDice:
    """The Dice score of each class of each validation image at each evaluated epoch."""

    epochs: Sequence[int]
    images: Sequence[str]
    classes: Sequence[str]
    dice: Floats
    """``(epochs, images, classes)``, NaN where an image neither has a class nor is given it."""
    groups: Sequence[str] | None = None
    """The group of each image; None where it is unknown."""

    def __post_init__(self) -> None:
        wanted = (len(self.epochs), len(self.images), len(self.classes))
        if self.dice.shape != wanted:
            raise ValueError(f"dice: shape {self.dice.shape} is not {wanted}, as the names say")

    def at(self, epoch: int) -> Floats | None:
        """Return ``(images, classes)`` of one epoch; None when it was not kept."""
        kept = list(self.epochs)
        return self.dice[kept.index(epoch)] if epoch in kept else None


@dataclass(frozen=True, kw_only=True)
class Fall:
    """One class of one image that scores lower than before."""

    image: str
    class_name: str
    before: float
    after: float

    @property
    def lost(self) -> bool:
        """Whether the class was found in the image before and is gone altogether."""
        return self.before >= FOUND_BEFORE and self.after < LOST_NOW


def fallen(per_image: PerImageDice, before: int, after: int) -> tuple[Fall, ...]:
    """Return what scores lower at the epoch ``after`` than at ``before``, the largest fall first.

    With two classes the background is left out: it fills most of an image and hardly moves.
    Empty when one of the epochs was not kept.
    """
    then, now = per_image.at(before), per_image.at(after)
    if then is None or now is None:
        return ()
    first = 1 if len(per_image.classes) == 2 else 0
    drop = np.nan_to_num(then - now, nan=0.0)
    drop[:, :first] = 0.0
    order = np.argsort(-drop, axis=None, kind="stable")
    order = order[drop.ravel()[order] > 0]
    images, classes = np.unravel_index(order, drop.shape)
    return tuple(
        Fall(
            image=per_image.images[image],
            class_name=per_image.classes[of_class],
            before=float(then[image, of_class]),
            after=float(now[image, of_class]),
        )
        for image, of_class in zip(images, classes, strict=True)
    )


def describe(falls: Sequence[Fall], at_most: int = 3) -> str:
    """Return which images fell most in a few words, such as "images 03, 07 lost the whole car"."""
    if not falls:
        return ""
    lost = [fall for fall in falls if fall.lost]
    if not lost:
        named = ", ".join(
            f"{fall.image} ({fall.class_name} {fall.before:.2f} → {fall.after:.2f})"
            for fall in falls[:at_most]
        )
        return f"{_images(min(len(falls), at_most))} {named} fell most"
    worst_class = _commonest([fall.class_name for fall in lost])
    images = [fall.image for fall in lost if fall.class_name == worst_class]
    more = f" and {len(images) - at_most} more" if len(images) > at_most else ""
    named = ", ".join(images[:at_most])
    return f"{_images(len(images))} {named}{more} lost the whole {worst_class}"


def _images(number: int) -> str:
    return "image" if number == 1 else "images"


def _commonest(names: Sequence[str]) -> str:
    return max(dict.fromkeys(names), key=names.count)

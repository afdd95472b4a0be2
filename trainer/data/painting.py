"""Masks as pictures: palette files that show the classes' colours, and overlays."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainer.data.collection import VOID, ClassInfo
from trainer.files import replacing

VOID_COLOUR = (224, 224, 192)
"""Of void in a mask's palette."""
VOID_CHEQUERS = ((235, 235, 235), (190, 190, 190))
CHEQUER = 5
"""Pixels along the side of a chequer."""
OPACITY = 0.55
Map = NDArray[np.uint8]


def save_mask(mask: Map, path: Path, classes: Sequence[ClassInfo]) -> None:
    """Save a map of class indices as a palette PNG in the classes' colours, all or nothing."""
    image = Image.fromarray(np.ascontiguousarray(mask), mode="P")
    palette = np.zeros((256, 3), np.uint8)
    for index, info in enumerate(classes):
        palette[index] = info.colour
    palette[VOID] = VOID_COLOUR
    image.putpalette(palette.tobytes())
    save_image(image, path)


def save_image(image: Image.Image, path: Path, **options: Any) -> None:
    """Save an image, all of it or nothing."""
    with replacing(path) as partial:
        image.save(partial, **options)


def lay_over(image: Map, mask: Map, classes: Sequence[ClassInfo], opacity: float = OPACITY) -> Map:
    """Return an image as `in_colour` shows it with ``mask (height, width)`` laid over it.

    The first class is the background and leaves the image as it is; every other class is laid over
    it in its colour, black too; void is chequered. ``opacity`` is 0 to 1.
    """
    colours = np.zeros((256, 3))
    colours[: len(classes)] = [info.colour for info in classes]
    tints = colours[mask]
    void = mask == VOID
    rows, columns = np.nonzero(void)
    tints[void] = np.array(VOID_CHEQUERS)[(rows // CHEQUER + columns // CHEQUER) % 2]
    return blend(in_colour(image), tints, is_painted(mask, classes), opacity)


def lay_outlined(
    image: Map,
    mask: Map,
    classes: Sequence[ClassInfo],
    opacity: float = OPACITY,
    *,
    width: int = 1,
) -> Map:
    """Return what `lay_over` does, the borders of classes, ``width`` pixels, in full colour."""
    borders = _borders(mask)
    if width > 1:
        from scipy.ndimage import binary_dilation

        borders = binary_dilation(borders, iterations=width - 1)
    borders &= is_painted(mask, classes) & (mask != VOID)
    whole = lay_over(image, mask, classes, opacity=1.0)
    return np.where(borders[..., None], whole, lay_over(image, mask, classes, opacity))


def _borders(mask: Map) -> NDArray[np.bool_]:
    padded = np.pad(mask, 1, mode="edge")
    sides = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    borders: NDArray[np.bool_] = np.any([side != mask for side in sides], axis=0)
    return borders


def in_colour(image: Map) -> Map:
    """Return an image ``(height, width, channels)`` to look at, RGB: its first three, or grey."""
    return image[:, :, :3] if image.shape[2] >= 3 else np.repeat(image[:, :, :1], 3, axis=2)


def is_painted(mask: Map, classes: Sequence[ClassInfo]) -> NDArray[np.bool_]:
    """Return where `lay_over` changes an image: at every class but the first, and at void."""
    return np.asarray(((mask > 0) & (mask < len(classes))) | (mask == VOID))


def blend(image: Map, tints: NDArray[np.float64], where: NDArray[np.bool_], opacity: float) -> Map:
    """Return ``image`` with ``tints``, of the same shape, laid over it at ``opacity``."""
    blended = image.copy()
    # Half up, as Math.round in the browser does, where numpy would round half to even.
    mixed = np.floor((1 - opacity) * image[where] + opacity * tints[where] + 0.5)
    blended[where] = mixed.astype(np.uint8)
    return blended

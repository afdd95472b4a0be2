"""Between an image's own size and the size that the network sees.

This module needs numpy and Pillow alone, because it also travels inside registered models: what
is predicted must be resized, padded and cut exactly as what was trained on. Images are
``uint8 (height, width, channels)``, targets ``uint8 (height, width)``; a size is height, then
width.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

UINT8 = NDArray[np.uint8]
Size = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A window of an image, and the part of it that it answers for.

    The window starts at ``top, left`` of the image and may reach beyond it. ``rows`` and
    ``columns`` are the pixels of the image, as slices, that belong to this tile and no other:
    the outer half of an overlap belongs to the neighbour, which sees more around it.
    """

    top: int
    left: int
    rows: slice
    columns: slice


def resize_image(image: UINT8, size: Size) -> UINT8:
    """Scale an image to ``size``, bilinear and antialiased when it shrinks.

    Exactly Pillow's ``BILINEAR`` without ``reducing_gap`` or JPEG drafts, so that the result
    depends on the pixels alone.
    """
    if image.shape[:2] == size:
        return image
    if image.shape[2] != 3:
        # One by one: of four, Pillow would weigh three by the last, as if it were transparency.
        bands = [Image.fromarray(image[:, :, band]) for band in range(image.shape[2])]
        scaled = [np.asarray(band.resize(size[::-1], Image.Resampling.BILINEAR)) for band in bands]
        return np.stack(scaled, axis=2)
    return np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR))


def resize_target(target: UINT8, size: Size) -> UINT8:
    """Scale a map of class indices to ``size`` by nearest neighbour: no value is invented."""
    if target.shape == size:
        return target
    return np.asarray(Image.fromarray(target).resize(size[::-1], Image.Resampling.NEAREST))


def round_up(size: Size, multiple: int) -> Size:
    """Return the smallest size at least ``size`` whose sides are multiples of ``multiple``."""
    height, width = (-(-side // multiple) * multiple for side in size)
    return height, width


def pad_image(image: UINT8, size: Size) -> UINT8:
    """Extend an image at the bottom and the right to at least ``size``, repeating its border.

    Repeated, not black: a black edge is a contour that the network would answer to. Cut the
    prediction back to the image's own height and width.
    """
    missing = [max(0, wanted - side) for wanted, side in zip(size, image.shape[:2], strict=True)]
    if not any(missing):
        return image
    return np.pad(image, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")


def pad_target(target: UINT8, size: Size, void: int = 255) -> UINT8:
    """Extend a target at the bottom and the right to at least ``size`` with ``void``."""
    missing = [max(0, wanted - side) for wanted, side in zip(size, target.shape, strict=True)]
    if not any(missing):
        return target
    return np.pad(target, ((0, missing[0]), (0, missing[1])), constant_values=void)


def five_crops(shape: Size, size: Size) -> list[tuple[int, int]]:
    """Return top and left of the four corner crops and the centre crop, in that order.

    An image smaller than ``size`` counts as padded to it, so some of the crops then coincide.
    """
    down = max(0, shape[0] - size[0])
    right = max(0, shape[1] - size[1])
    return [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]


def tiles(shape: Size, size: Size, multiple: int = 1) -> list[Tile]:
    """Cover an image of ``shape`` with windows of ``size``; every pixel belongs to one of them.

    Neighbours overlap by about a quarter of a window, so that no pixel is judged without what
    surrounds it. Windows start at multiples of ``multiple``: with the network's stride, it pools
    the same pixels together in a window as it would in the whole image. An image no larger than
    ``size`` is a single tile.
    """
    vertical = _spans(shape[0], size[0], multiple)
    horizontal = _spans(shape[1], size[1], multiple)
    return [
        Tile(top=top, left=left, rows=rows, columns=columns)
        for top, rows in vertical
        for left, columns in horizontal
    ]


def cut(image: UINT8, top: int, left: int, size: Size) -> UINT8:
    """Return the window of an image; what lies beyond its bottom or right repeats the border."""
    return pad_image(image[top : top + size[0], left : left + size[1]], size)


def cut_target(target: UINT8, top: int, left: int, size: Size, void: int = 255) -> UINT8:
    """Return the window of a target; what lies beyond it is ``void``."""
    return pad_target(target[top : top + size[0], left : left + size[1]], size, void)


def _spans(length: int, window: int, multiple: int) -> list[tuple[int, slice]]:
    """Cover ``length`` pixels by windows: the start of each and the pixels that it owns."""
    if length <= window:
        return [(0, slice(0, length))]
    step = max(1, window - window // 4)
    count = -(-(length - window) // step) + 1
    evenly = [round(i * (length - window) / (count - 1)) for i in range(count)]
    starts = [-(-start // multiple) * multiple for start in evenly]
    borders = [(before + window + after) // 2 for before, after in pairwise(starts)]
    return [
        (start, slice(first, last))
        for start, first, last in zip(starts, [0, *borders], [*borders, length], strict=True)
    ]

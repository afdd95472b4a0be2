"""Draw polygons and run lengths as class indices.

A pixel belongs to a polygon where its centre lies inside: the pixel in row 3 and column 5 where
the point (5.5, 3.5) does. A square from (10, 10) to (20, 20) is 100 pixels. That is how pycocotools
counts too; along a slanting border the two may differ by the pixels that the border cuts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.data.files.imagefile import Array
from trainer.wording import counted

Points = NDArray[np.float64]
# No outline that a hand has drawn in an image that is decoded crosses as many rows.
MAX_CROSSINGS = 2**22
FARTHEST = 1e6


@dataclass(frozen=True, kw_only=True)
class Shape:
    """An area to be filled with ``value``: the union of polygons, or run lengths.

    A polygon is ``(points, 2)`` of x and y in pixels from the upper left corner. ``runs`` are the
    lengths of runs outside and inside in turn, outside first, column by column.
    """

    value: int
    polygons: tuple[Points, ...] = ()
    runs: NDArray[np.int64] | None = None

    @property
    def area(self) -> float:
        """The area in pixels, of polygons as their corners tell it."""
        if self.runs is not None:
            return float(self.runs[1::2].sum())
        return sum(abs(_signed_area(points)) for points in self.polygons)


def _signed_area(points: Points) -> float:
    x, y = points.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def draw(shapes: Sequence[Shape], height: int, width: int) -> Array:
    """Return ``uint8 (height, width)``: 0, and each shape's value, later shapes over earlier.

    Raises ``ValueError`` for an outline that is too intricate.
    """
    target = np.zeros((height, width), np.uint8)
    for shape in shapes:
        if shape.runs is not None:
            inside = np.repeat(np.arange(shape.runs.size) % 2 == 1, shape.runs)
            target[inside.reshape(width, height).T] = shape.value
        for points in shape.polygons:
            _fill(target, points, shape.value)
    return target


def _fill(target: Array, points: Points, value: int) -> None:
    """Fill a polygon; where it crosses itself, inside is what an odd number of edges encloses."""
    height, width = target.shape
    x, y = points.T
    to_x, to_y = np.roll(x, -1), np.roll(y, -1)
    # An edge crosses the centres of the rows from `first` to before `last`.
    first = _beyond(np.minimum(y, to_y), height)
    last = _beyond(np.maximum(y, to_y), height)
    rows = last - first
    if not rows.any():
        return
    if rows.sum() > MAX_CROSSINGS:
        raise ValueError(
            f"an outline crosses {rows.sum():,} rows; at most {MAX_CROSSINGS:,} can be"
        )
    edge = np.repeat(np.arange(rows.size), rows)
    row = np.arange(edge.size) - np.repeat(rows.cumsum() - rows, rows) + first[edge]
    slope = (to_x - x)[edge] / (to_y - y)[edge]
    column = _beyond(x[edge] + (row + 0.5 - y[edge]) * slope, width)
    top, left, bottom, right = row.min(), column.min(), row.max() + 1, column.max()
    # Each crossing turns outside into inside, or back, for all that follows in its row.
    turns = np.zeros((bottom - top, right - left + 1), np.uint8)
    np.add.at(turns, (row - top, column - left), 1)
    inside = np.cumsum(turns[:, :-1], axis=1, dtype=np.uint8) % 2 == 1
    target[top:bottom, left:right][inside] = value


def _beyond(places: Points, end: int) -> NDArray[np.int64]:
    """Return the first pixel whose centre is not before each place, from 0 to ``end``."""
    return np.ceil(places - 0.5).clip(0, end).astype(np.int64)


def polygon(points: object) -> Points:
    """Return a polygon's points, ``(points, 2)``; ``ValueError`` says what is wrong with them."""
    try:
        found = np.asarray(points, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("its points are not pairs of numbers") from error
    if found.ndim == 1 and found.size % 2 == 0:
        found = found.reshape(-1, 2)
    if found.ndim != 2 or found.shape[1] != 2:
        raise ValueError("its points are not pairs of numbers")
    if len(found) < 3:
        raise ValueError(f"a polygon has {counted(len(found), 'point')}; 3 are needed")
    if not (np.abs(found) <= FARTHEST).all():
        raise ValueError("a point lies outside of any image")
    return found


def run_lengths(counts: object, pixels: int) -> NDArray[np.int64]:
    """Return COCO's run lengths, a list or compressed text, of an area of so many ``pixels``.

    ``ValueError`` says what is wrong with them.
    """
    found = _unpacked(counts) if isinstance(counts, str) else _listed(counts)
    if (found < 0).any():
        raise ValueError("a run length is below 0")
    if found.sum() != pixels:
        raise ValueError(f"its run lengths cover {found.sum():,} pixels of {pixels:,}")
    return found


def _listed(counts: object) -> NDArray[np.int64]:
    if not isinstance(counts, list) or not all(type(n) is int and n < 2**31 for n in counts):
        raise ValueError("its run lengths are no list of whole numbers and no text")
    return np.array(counts, np.int64)


def _unpacked(text: str) -> NDArray[np.int64]:
    """Read the text of pycocotools: digits of five bits from "0" on, the lowest first.

    The sixth bit says that another digit follows; the fifth of a last one is the sign. From the
    fourth number on each is a difference to the last but one.
    """
    digits = np.frombuffer(text.encode("utf-8"), np.uint8).astype(np.int64) - ord("0")
    if not digits.size or digits.min() < 0 or digits.max() > 63 or digits[-1] & 32:
        raise ValueError("its run lengths are damaged")
    ends = np.flatnonzero(digits & 32 == 0)
    starts = np.concatenate(([0], ends[:-1] + 1))
    place = np.arange(digits.size) - np.repeat(starts, ends + 1 - starts)
    if place.max() > 6:
        raise ValueError("its run lengths are damaged")
    numbers = np.add.reduceat((digits & 31) << 5 * place, starts)
    numbers -= (digits[ends] >> 4 & 1) << 5 * (place[ends] + 1)
    for series in (numbers[1::2], numbers[2::2]):
        series[:] = series.cumsum()
    return numbers

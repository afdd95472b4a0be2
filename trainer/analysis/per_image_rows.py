"""Turn rows of per-image results, one an image and class, into arrays with named axes.

The rows are those of ``evaluation/per_image/``: a data frame or a dict of columns ``epoch``,
``image``, ``class``, ``tp``, ``fp``, ``fn``, ``dice``, ``group`` (missing where it is unknown),
with the classes of an image in their order.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trainer.analysis.fallen import PerImageDice
from trainer.analysis.ratios import PixelCounts


class Rows(Protocol):
    """A table of which a column is asked for by name: a data frame, a dict of arrays."""

    def __getitem__(self, name: str, /) -> Any:
        """Return one column."""

    def __contains__(self, name: str, /) -> bool:
        """Say whether there is such a column."""


def per_image_dice(rows: Rows) -> PerImageDice:
    """Return the Dice of every epoch, image and class; an image twice in an epoch: the newest.

    Images keep the order in which they first appear, and so do classes; epochs ascend.
    """
    epochs, epoch_at = np.unique(np.asarray(rows["epoch"], dtype=np.int64), return_inverse=True)
    images, image_at = _by_appearance(rows["image"])
    classes, class_at = _by_appearance(rows["class"])
    dice = np.full((epochs.size, len(images), len(classes)), np.nan)
    dice[epoch_at, image_at, class_at] = np.asarray(rows["dice"], dtype=np.float64)
    return PerImageDice(
        epochs=epochs.tolist(),
        images=images,
        classes=classes,
        dice=dice,
        groups=_groups([rows], images),
    )


def target_foreground_share(rows: Rows) -> float:
    """Return the share of the labelled pixels whose target is any class but the first."""
    classes, class_at = _by_appearance(rows["class"])
    pixels = np.asarray(rows["tp"], dtype=np.float64) + np.asarray(rows["fn"], dtype=np.float64)
    of_class = np.bincount(class_at, weights=pixels, minlength=len(classes))
    return float(of_class[1:].sum() / max(of_class.sum(), 1))


def pixel_counts(runs: Sequence[Rows]) -> tuple[PixelCounts, tuple[str, ...], tuple[str, ...]]:
    """Return the counts of one configuration, its images by name, and its classes.

    Each of ``runs`` holds the rows of one epoch of one seed. Raises ``ValueError`` when there are
    none, or when the runs do not hold the same images and classes, each once.
    """
    if not runs:
        raise ValueError("runs: none given; a comparison needs the per-image results of one")
    classes, _ = _by_appearance(runs[0]["class"])
    images = tuple(sorted({str(name) for name in runs[0]["image"]}))
    stacked = [
        np.stack([_grid(run, column, images, classes) for run in runs])
        for column in ("tp", "fp", "fn")
    ]
    return PixelCounts(*stacked, groups=_groups(runs, images)), images, classes


def _grid(
    rows: Rows, column: str, images: Sequence[str], classes: Sequence[str]
) -> NDArray[np.float64]:
    values = np.asarray(rows[column], dtype=np.float64)
    cells = [(str(a), str(b)) for a, b in zip(rows["image"], rows["class"], strict=True)]
    place = {cell: at for at, cell in enumerate((i, c) for i in images for c in classes)}
    if len(cells) != len(place) or set(cells) != set(place):
        odd = sorted({cell[0] for cell in set(cells) ^ set(place)})
        hint = f", such as {odd[0]}" if odd else ""
        raise ValueError(
            f"images: the runs differ in {len(odd)} images or classes{hint}; evaluate them on the "
            "same split of the same data"
        )
    grid = np.empty(values.size)
    grid[[place[cell] for cell in cells]] = values
    return grid.reshape(len(images), len(classes))


def _groups(runs: Sequence[Rows], images: Sequence[str]) -> tuple[str, ...] | None:
    """Return the group of each image; the largest groups that any run knows, None where none does.

    Runs of one data set differ in them where ``group_by`` did.
    """
    known = []
    for run in (run for run in runs if "group" in run):
        names, first = np.unique(np.asarray(run["image"], dtype=str), return_index=True)
        of_names = np.asarray(run["group"], dtype=object)[first]
        group_of = dict(zip(names.tolist(), of_names, strict=True))
        groups = [group_of[image] for image in images]
        if all(isinstance(group, str) for group in groups):
            known.append(tuple(groups))
    return min(known, key=lambda groups: len(set(groups)), default=None)


def _by_appearance(names: Any) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the names, each once, as they first appear, and each row's position among them."""
    column = np.asarray(names, dtype=str)
    unique, first, inverse = np.unique(column, return_index=True, return_inverse=True)
    order = np.argsort(first)
    position = np.empty(order.size, dtype=np.int64)
    position[order] = np.arange(order.size)
    return tuple(str(name) for name in unique[order]), position[inverse]

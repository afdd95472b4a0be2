"""Pictures set side by side, and where two predictions differ: pure functions of arrays.

The viewer lays masks over one picture; set side by side in one, an image can be compared between
epochs or runs with every pixel in its place.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainer.data.collection import VOID, ClassInfo
from trainer.palette import PALETTE

Map = NDArray[np.uint8]

GAP = 4
"""Pixels between two pictures."""
GAP_GREY = 128

AGREE, FIRST_RIGHT, SECOND_RIGHT, BOTH_WRONG = 0, 1, 2, 3
DIFFERENCES = tuple(
    ClassInfo(name=name, colour=(int(c[1:3], 16), int(c[3:5], 16), int(c[5:7], 16)))
    for name, c in (
        ("same", "#000000"),
        ("only A right", PALETTE[0]),
        ("only B right", PALETTE[4]),
        ("differ, both wrong", PALETTE[3]),
    )
)


def beside(pictures: Sequence[Map], *, fill: int) -> Map:
    """Return maps ``(height, width[, 3])`` side by side, `GAP` columns of ``fill`` between them.

    Lower ones are filled up at the bottom. Raises ``ValueError`` when there are none.
    """
    if not pictures:
        raise ValueError("strip: no picture given")
    height = max(p.shape[0] for p in pictures)
    rest = [(0, 0)] * (pictures[0].ndim - 2)
    padded = [
        np.pad(
            p,
            [(0, height - p.shape[0]), (0, GAP if i < len(pictures) - 1 else 0), *rest],
            constant_values=fill,
        )
        for i, p in enumerate(pictures)
    ]
    return np.concatenate(padded, axis=1)


def images_beside(images: Sequence[Map]) -> Map:
    """Return RGB images side by side, grey between them."""
    return beside(images, fill=GAP_GREY)


def beside_where_stored(targets: Sequence[Map], predicted: Sequence[Map | None]) -> tuple[Map, Map]:
    """Return targets and predictions ``(height, width)`` side by side; a missing one is bare.

    Its target becomes void and its prediction background: against the target, every foreground
    pixel would read as a false negative.
    """
    pairs = list(zip(targets, predicted, strict=True))
    shown_targets = [t if p is not None else np.full_like(t, VOID) for t, p in pairs]
    shown_masks = [p if p is not None else np.zeros_like(t) for t, p in pairs]
    return beside(shown_targets, fill=VOID), beside(shown_masks, fill=0)


def disagreement(first: Map, second: Map, target: Map) -> Map:
    """Return where two predictions differ, and which is right there; all ``(height, width)``.

    `AGREE` where they are equal or the target is void, else `FIRST_RIGHT`, `SECOND_RIGHT` or
    `BOTH_WRONG`. Raises ``ValueError`` when the shapes differ.
    """
    if not first.shape == second.shape == target.shape:
        raise ValueError(
            f"disagreement: predictions {first.shape} and {second.shape} and target "
            f"{target.shape} differ in size; compare runs of one image_size"
        )
    codes = np.full(target.shape, BOTH_WRONG, dtype=np.uint8)
    codes[first == target] = FIRST_RIGHT
    codes[second == target] = SECOND_RIGHT
    codes[(first == second) | (target == VOID)] = AGREE
    return codes


def disagreement_shares(codes: Map, target: Map) -> dict[str, float]:
    """Return the shares of the counted pixels (void left out) for each kind of `DIFFERENCES`.

    NaN when the target is void throughout.
    """
    counted = target != VOID
    total = int(counted.sum())
    found = np.bincount(codes[counted].ravel(), minlength=len(DIFFERENCES))
    shares = found / total if total else np.full(len(DIFFERENCES), np.nan)
    return {info.name: float(share) for info, share in zip(DIFFERENCES, shares, strict=True)}

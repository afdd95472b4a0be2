"""How masks turn out to be read, and what its rules share: words and limits."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np

from trainer.data.collection import ClassInfo, Colour, MaskCoding
from trainer.data.layouts.looking import Seen, area_besides

CURE = "say what they mean with --mask-values, or in a classes.yaml beside the data"

MAX_COLOURS = 64

MOST = 0.9  # of the pixels must be near 0 or 255 for the rest to count as smoothed edges
RARE = 0.01  # of the pixels may have values that mean nothing: a brush, a rounding, a resave
SCATTER = 48  # from its colour lies a class's after lossy compression, at most
APART = 24  # levels at least this far from each other survive lossy compression


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How masks are read: their coding, the classes, and in words what was decided.

    ``strays`` are files among the masks that look like none.
    """

    coding: MaskCoding
    classes: tuple[ClassInfo, ...]
    notes: tuple[str, ...] = field(default=())
    strays: tuple[Path, ...] = field(default=())


def refuse_swallowed(seen: Seen, masks: Sequence[Path], main: Sequence[Colour], reach: int) -> None:
    """Raise ``ValueError`` where a small class would be taken for the nearest of the main ones."""
    own = [path for path in masks if path not in seen.strays]
    besides = area_besides(own, main, reach)
    if besides is None and seen.coloured:
        besides = no_mixture(seen.colours, main, reach)
    if besides is not None:
        shown = ", ".join(map(hexed, main)) if seen.coloured else ", ".join(str(c[0]) for c in main)
        also = hexed(besides) if seen.coloured else besides[0]
        raise ValueError(
            f"masks: lossy compression (JPEG) has scattered the labels; besides {shown} there are "
            f"areas near {also}; save them as PNG, or {CURE}"
        )


def no_mixture(colours: Counter[Colour], main: Sequence[Colour], reach: int) -> Colour | None:
    """Return the middle of the colours that no two of the main ones mix to, if they are not rare.

    Compression mixes what meets at an edge; what lies farther than ``reach`` from all mixtures is
    of a class that is too small to have kept its colour anywhere.
    """
    seen = np.array(list(colours), np.float64).reshape(-1, 3)
    counts = np.fromiter(colours.values(), np.int64, len(colours))
    far = np.ones(len(seen), bool)
    for one, other in combinations_with_replacement(np.array(main, np.float64), 2):
        span = other - one
        along = ((seen - one) @ span / max(span @ span, 1)).clip(0, 1)
        far &= np.abs(one + along[:, None] * span - seen).max(axis=1) > reach
    if counts[far].sum() <= RARE * counts.sum():
        return None
    red, green, blue = np.median(np.repeat(seen[far], counts[far], axis=0), axis=0).astype(int)
    return int(red), int(green), int(blue)


def shares(seen: Seen, most: int = 6) -> str:
    """Return the commonest values, each with its share of the pixels: "0 (91.2 %), 1 (8.8 %)"."""
    total = max(seen.values.total(), 1)
    shown = [f"{value} ({100 * n / total:.1f} %)" for value, n in seen.values.most_common(most)]
    return ", ".join(shown) + (", …" if len(seen.values) > most else "")


def hexed(colour: Colour) -> str:
    return "{:02x}{:02x}{:02x}".format(*colour)


def listed(words: Sequence[str]) -> str:
    """Return words separated by commas, the middle left out when they are many."""
    if len(words) <= 12:
        return ", ".join(words)
    return f"{', '.join(words[:8])}, … {words[-1]}"

"""Look at a sample of masks and add up what they store."""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainer.data.collection import Colour
from trainer.data.files.imagefile import StoredMask, UnreadableFile, look_at_mask

SAMPLE = 200


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the looked-at masks hold together.

    ``values`` counts stored values of single-channel masks and ``masks_with`` in how many masks
    each occurs; ``colours`` counts colours, palettes looked up; ``palette`` gives each stored
    value's colour where all files agree on it.
    """

    masks: int
    of: int
    values: Counter[int]
    masks_with: Counter[int]
    colours: Counter[Colour]
    palette: Mapping[int, Colour] | None
    coloured: bool
    lossy: bool

    @property
    def how_many(self) -> str:
        """Return "all 20 masks" or "200 of 5,000 masks"."""
        return (
            f"all {self.of} masks"
            if self.masks == self.of
            else f"{self.masks} of {self.of:,} masks"
        )


def sample(masks: Sequence[Path], most: int = SAMPLE) -> list[Path]:
    """Return all masks when they are few, else ``most`` of them, evenly spread."""
    if len(masks) <= most:
        return list(masks)
    places = np.linspace(0, len(masks) - 1, most).round().astype(int)
    return [masks[int(place)] for place in places]


def look(masks: Sequence[Path]) -> Seen:
    """Look at a sample of the masks; unreadable ones are left to the check of the files.

    Raises ``ValueError`` when none can be read.
    """
    chosen = sample(masks)
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(_look_or_none, chosen))
    stored = [result for result in results if result is not None]
    if not stored:
        look_at_mask(chosen[0])  # raises, naming the file and what is wrong with it
        raise ValueError(f"{chosen[0]}: no mask can be read")
    values: Counter[int] = Counter()
    masks_with: Counter[int] = Counter()
    colours: Counter[Colour] = Counter()
    for mask in stored:
        values.update(mask.values)
        masks_with.update(mask.values.keys())
        colours.update(mask.colours)
    palette, agree = _common_palette(stored)
    return Seen(
        masks=len(stored),
        of=len(masks),
        values=values,
        masks_with=masks_with,
        colours=colours,
        palette=palette,
        coloured=any(mask.coloured for mask in stored) or not agree,
        lossy=any(mask.lossy for mask in stored),
    )


def _look_or_none(path: Path) -> StoredMask | None:
    try:
        return look_at_mask(path)
    except UnreadableFile:
        return None


def _common_palette(masks: Sequence[StoredMask]) -> tuple[dict[int, Colour] | None, bool]:
    """Return the colour of each stored value, and whether the files agree on them.

    Programs that shrink palettes number the same colour differently from file to file; the
    indices then mean nothing and the colours must be read instead.
    """
    palettes = [mask.palette for mask in masks if mask.palette is not None]
    if not palettes:
        return None, True
    common: dict[int, Colour] = {}
    for palette in palettes:
        for value, colour in palette.items():
            if common.setdefault(value, colour) != colour:
                return None, False
    grey = all(red == green == blue for red, green, blue in common.values())
    if grey and len(palettes) < len(masks):
        # Some files are grey and some index a grey palette: only the levels are comparable.
        return common, all(value == colour[0] for value, colour in common.items())
    return common, True


def looks_like_masks(files: Sequence[Path]) -> bool:
    """Say whether some files of a folder hold few enough values or colours to be masks."""
    looks = [found for path in sample(files, 4) if (found := _look_or_none(path)) is not None]
    return bool(looks) and all(_is_plain(found) for found in looks)


def _is_plain(found: StoredMask) -> bool:
    """Say whether a file holds few different values for its size, as no photograph does."""
    pixels = sum(found.colours.values())
    return not found.lossy and len(found.colours) <= min(64, pixels // 8)

"""Look at a sample of masks and add up what they store."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from trainer.data.collection import VOID, Colour
from trainer.data.files.imagefile import UnreadableFile
from trainer.data.files.maskfile import StoredMask, decode, look_at_mask, stored_values
from trainer.wording import counted

T = TypeVar("T")
SAMPLE = 200
BORDERS = 20
ALIKE = 8  # from one another are pixels within an area, whatever compression did
SMALLEST = 8  # pixels in areas of a colour are a class's


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the looked-at masks hold together.

    ``values`` counts stored values of single-channel masks and ``masks_with`` in how many masks
    each occurs, ``together`` the set of each mask's values and ``on_seams`` how many
    pixels of a level lie where dark meets bright; ``colours`` counts colours, palettes looked up;
    ``palette`` gives each stored value's colour where all files agree on it.
    ``strays`` are masks that look like none while nearly all others do; nothing of them is
    counted.
    """

    masks: int
    of: int
    values: Counter[int]
    masks_with: Counter[int]
    together: tuple[frozenset[int], ...]
    on_seams: Counter[int]
    colours: Counter[Colour]
    palette: Mapping[int, Colour] | None
    coloured: bool
    lossy: bool
    transparent: bool
    strays: tuple[Path, ...]

    @property
    def complete(self) -> bool:
        """Whether every mask was looked at, so that no other value can turn up."""
        return self.masks == self.of

    @property
    def how_many(self) -> str:
        """Return "1 mask", "all 20 masks" or "200 of 5,000 masks"."""
        many = "" if self.of == 1 else "all " if self.complete else f"{self.masks} of "
        return f"{many}{counted(self.of, 'mask')}"


def sample(masks: Sequence[T], most: int = SAMPLE) -> list[T]:
    """Return all when they are few, else ``most`` of them, evenly spread."""
    if len(masks) <= most:
        return list(masks)
    places = np.linspace(0, len(masks) - 1, most).round().astype(int)
    return [masks[int(place)] for place in places]


def look(masks: Sequence[Path], most: int = SAMPLE) -> Seen:
    """Look at a sample of the masks; unreadable ones are left to the check of the files.

    Raises ``ValueError`` when none can be read.
    """
    chosen = sample(masks, most)
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(_look_or_none, chosen))
    read = {path: found for path, found in zip(chosen, results, strict=True) if found is not None}
    if not read:
        look_at_mask(chosen[0])  # raises, naming the file and what is wrong with it
        raise ValueError(f"{chosen[0]}: no mask can be read")
    strays = _strays(read)
    stored = [found for path, found in read.items() if path not in strays]
    values: Counter[int] = Counter()
    masks_with: Counter[int] = Counter()
    on_seams: Counter[int] = Counter()
    colours: Counter[Colour] = Counter()
    for mask in stored:
        on_seams.update(mask.on_seams)
        values.update(mask.values)
        masks_with.update(mask.values.keys())
        colours.update(mask.colours)
    palette, agree = _common_palette(stored)
    return Seen(
        masks=len(chosen),
        of=len(masks),
        values=values,
        masks_with=masks_with,
        together=tuple(frozenset(mask.values) for mask in stored),
        on_seams=on_seams,
        colours=colours,
        palette=palette,
        coloured=any(mask.coloured for mask in stored) or not agree,
        lossy=any(mask.lossy for mask in stored),
        transparent=any(mask.transparent for mask in stored),
        strays=strays,
    )


def few(masks: int) -> int:
    """Return how many of so many masks may be unlike the others without changing their meaning."""
    return max(1, masks // 20)


def _strays(read: Mapping[Path, StoredMask]) -> tuple[Path, ...]:
    """Return the masks that hold a photograph or noise, where nearly all others are plain."""
    odd = tuple(path for path, found in read.items() if _is_photograph(found))
    return odd if len(read) >= 4 and len(odd) <= few(len(read)) else ()


def lies_between(masks: Sequence[Path], value: int, one: int, other: int) -> bool:
    """Say whether most pixels of a stored value lie where two others meet, as a border's do."""
    from scipy.ndimage import maximum_filter

    border, between = 0, 0
    for levels in _levels_of(masks):
        reach = 2 * round(0.03 * float(np.hypot(*levels.shape))) + 1
        near = [maximum_filter(levels == each, max(reach, 3)) for each in (one, other)]
        border += int((levels == value).sum())
        between += int(((levels == value) & near[0] & near[1]).sum())
    return 2 * between > border


def in_one_piece(masks: Sequence[Path]) -> bool:
    """Say whether most values but 0 and void are one connected area of their mask.

    Not all need be: a leaf that lies over another may part it.
    """
    from scipy.ndimage import find_objects, label

    areas, whole = 0, 0
    for levels in _levels_of(masks):
        for value, box in enumerate(find_objects(levels.astype(np.int64)), start=1):
            if box is not None and value != VOID:
                areas += 1
                whole += label(levels[box] == value, np.ones((3, 3)))[1] == 1
    return whole >= 0.7 * areas > 0


def area_besides(masks: Sequence[Path], known: Sequence[Colour], reach: int) -> Colour | None:
    """Return the colour of areas that are farther than ``reach`` from all known colours, if any.

    Compression scatters the colours of a small class, so that none of them is common; but within
    its areas neighbours are alike, as they are not along the edges of others.
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    places = np.array(known, np.int64)
    found: list[NDArray[Any]] = []
    for stored in _stored(masks):
        colours = stored if stored.ndim == 3 else np.stack([stored] * 3, axis=-1)
        colours = colours.astype(np.int64)
        spread = maximum_filter(colours, (3, 3, 1)) - minimum_filter(colours, (3, 3, 1))
        flat = colours[(spread <= ALIKE).all(axis=2)]
        unique, counts = np.unique(flat, axis=0, return_counts=True)
        distance = np.abs(unique[:, None] - places[None]).max(axis=2).min(axis=1, initial=256)
        found.append(np.repeat(unique[distance > reach], counts[distance > reach], axis=0))
    besides = np.concatenate(found) if found else np.zeros((0, 3))
    if len(besides) < SMALLEST:
        return None
    red, green, blue = np.median(besides, axis=0).astype(int).tolist()
    return red, green, blue


def _levels_of(masks: Sequence[Path]) -> Iterator[NDArray[Any]]:
    """Yield the values of a few masks; what has none is left to the check of the files."""
    return (levels for levels in _stored(masks) if levels.ndim == 2)


def _stored(masks: Sequence[Path]) -> Iterator[NDArray[Any]]:
    for path in sample(masks, BORDERS):
        try:
            yield stored_values(decode(path), path)
        except UnreadableFile:
            continue


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


def _is_photograph(found: StoredMask) -> bool:
    """Say whether a file holds so many values, none of them often, that it cannot be a mask."""
    counts = sorted((found.colours if found.coloured else found.values).values(), reverse=True)
    return len(counts) > 64 and sum(counts[:64]) < 0.6 * sum(counts)


def looks_like_masks(files: Sequence[Path]) -> bool:
    """Say whether some files of a folder hold few enough values or colours to be masks."""
    looks = [found for path in sample(files, 4) if (found := _look_or_none(path)) is not None]
    return bool(looks) and all(_is_plain(found) for found in looks)


def _is_plain(found: StoredMask) -> bool:
    """Say whether a file holds few different values for its size, as no photograph does."""
    pixels = sum(found.colours.values())
    return not found.lossy and len(found.colours) <= min(64, pixels // 8)

"""Find out what the values of masks mean by looking at some of them.

Every rule is deterministic and says in a note what it decided, so that nobody is left to guess
how masks were read. A `classes.yaml` beside the data overrides every rule.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from trainer.data.classes import ClassTable, class_colour, two_classes
from trainer.data.collection import MAX_CLASSES, VOID, ClassInfo, Colour, MaskCoding
from trainer.data.imagefile import StoredMask, UnreadableFile, look_at_mask

SAMPLE = 200
CURE = "say what they mean in a classes.yaml beside the data"

# Values this close to 0 or 255 are those two, seen through lossy compression.
NEAR = 40
MOST = 0.9  # of the pixels must be near 0 or 255 for the rest to count as smoothed edges


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How masks are read: their coding, the classes, and in words what was decided."""

    coding: MaskCoding
    classes: tuple[ClassInfo, ...]
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the looked-at masks hold together.

    ``values`` counts stored values of single-channel masks, ``colours`` counts colours, palettes
    looked up; ``palette`` gives each stored value's colour where all files agree on it.
    """

    masks: int
    of: int
    values: Counter[int]
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
    colours: Counter[Colour] = Counter()
    for mask in stored:
        values.update(mask.values)
        colours.update(mask.colours)
    palette, agree = _common_palette(stored)
    return Seen(
        masks=len(stored),
        of=len(masks),
        values=values,
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


def discover(masks: Sequence[Path], *, table: ClassTable | None, trimap_border: str) -> Decoding:
    """Return how to read ``masks``, from the class table where there is one.

    Raises ``ValueError`` when the masks look like no coding of classes; the message says what
    was found and how to say what it means.
    """
    if table is not None and table.threshold is not None:
        return _by_threshold(table)
    seen = look(masks)
    if table is not None:
        return _by_table(seen, table, trimap_border)
    if seen.coloured:
        return _by_colours(seen)
    return by_values(seen, masks, trimap_border=trimap_border)


def looks_like_masks(files: Sequence[Path]) -> bool:
    """Say whether some files of a folder hold few enough values or colours to be masks."""
    looks = [found for path in sample(files, 4) if (found := _look_or_none(path)) is not None]
    return bool(looks) and all(
        not found.lossy and len(found.colours) <= MAX_CLASSES and len(found.values) <= 64
        for found in looks
    )


def by_values(seen: Seen, masks: Sequence[Path], *, trimap_border: str) -> Decoding:
    """Return the coding of masks whose stored values are the labels."""
    found = sorted(seen.values)
    shown = _listed([str(value) for value in found])
    if seen.palette is None and _is_smooth(seen.values):
        note = f"masks: 0 to 255 with smooth edges; above 127 is foreground ({seen.how_many})"
        return Decoding(coding=MaskCoding(threshold=127), classes=two_classes(), notes=(note,))
    if set(found) <= {0, 1} or set(found) <= {0, 255}:
        values = {0: 0, 1: 1} if 1 in found else {0: 0, 255: 1}
        values = {0: 0, 1: 1, 255: 1} if found == [0] else values
        note = f"masks: values {shown}; 0 is background, the other foreground ({seen.how_many})"
        return Decoding(coding=MaskCoding(values=values), classes=two_classes(), notes=(note,))
    if _is_trimap(found, masks):
        return trimap(found, trimap_border)
    if len(found) == 2 and found[0] == 0:
        note = f"masks: values {shown}; 0 is background, {found[1]} foreground ({seen.how_many})"
        coding = MaskCoding(values={0: 0, found[1]: 1})
        return Decoding(coding=coding, classes=two_classes(), notes=(note,))
    if len(found) > (64 if seen.palette is None else MAX_CLASSES):
        raise ValueError(
            f"masks hold {len(found)} different values ({shown}), too many for classes; {CURE}"
        )
    if seen.palette is None and _is_levels(found):
        return _by_levels(seen, found)
    return _by_indices(seen, found)


def trimap(found: Sequence[int], border: str) -> Decoding:
    """Return the coding of a trimap: 1 object, 2 background, 3 border; or 0, 255 and between."""
    inside, outside, edge = (1, 2, 3) if max(found) <= 3 else (255, 0, found[1])
    classes: tuple[ClassInfo, ...] = two_classes()
    values = {inside: 1, outside: 0, edge: VOID}
    if border == "class":
        values[edge] = 2
        classes = (*classes, ClassInfo(name="border", colour=class_colour(2)))
    note = (
        f"masks: trimaps; {inside} is foreground, {outside} background, {edge} the border, "
        f"which is {'a class' if border == 'class' else 'void'}"
    )
    return Decoding(coding=MaskCoding(values=values), classes=classes, notes=(note,))


def _is_smooth(values: Counter[int]) -> bool:
    between = [value for value in values if value not in (0, 255)]
    if len(between) <= 8 or max(values) > 255:
        return False
    near = sum(n for value, n in values.items() if value <= NEAR or value >= 255 - NEAR)
    return near >= MOST * values.total()


def _is_trimap(found: Sequence[int], masks: Sequence[Path]) -> bool:
    if 0 not in found and set(found) <= {1, 2, 3} and len(found) >= 2:
        return True
    named = any("trimap" in part.lower() for part in masks[0].parts[-3:])
    return named and len(found) == 3 and found[0] == 0 and found[2] == 255


def _is_levels(found: Sequence[int]) -> bool:
    """Say whether values are grey levels spread apart, such as 0, 128, 255, and no indices."""
    return len(found) >= 3 and min(b - a for a, b in pairwise(found)) >= 8


def _by_levels(seen: Seen, found: Sequence[int]) -> Decoding:
    classes = tuple(
        ClassInfo(name=f"level {level}", colour=class_colour(index))
        for index, level in enumerate(found)
    )
    note = (
        f"masks: grey levels {_listed(list(map(str, found)))}, each a class ({seen.how_many}); "
        f"if one of them is void, {CURE}"
    )
    coding = MaskCoding(values={level: index for index, level in enumerate(found)})
    return Decoding(coding=coding, classes=classes, notes=(note,))


def _by_indices(seen: Seen, found: Sequence[int]) -> Decoding:
    labels = [value for value in found if value != VOID]
    if max(labels) >= MAX_CLASSES:
        shown = _listed([str(value) for value in found])
        raise ValueError(f"masks hold values {shown}, which are no class indices; {CURE}")
    values = {index: index for index in range(max(labels) + 1)}
    void = ""
    if VOID in found:
        values[VOID] = VOID
        void = ", 255 is void"
    note = f"masks: class indices 0 to {max(labels)}{void} ({seen.how_many})"
    colours = _palette_colours(seen, max(labels) + 1)
    classes = tuple(
        ClassInfo(name=f"class {index}", colour=colours[index]) for index in range(len(colours))
    )
    return Decoding(coding=MaskCoding(values=values), classes=classes, notes=(note,))


def _palette_colours(seen: Seen, number: int) -> list[Colour]:
    made_up = [class_colour(index) for index in range(number)]
    if seen.palette is None:
        return made_up
    stored = [seen.palette.get(index) for index in range(number)]
    used = [colour for colour in stored if colour is not None]
    if len(set(used)) < len(used) or all(max(colour) < 64 for colour in used):
        return made_up  # an empty or nearly black palette shows nothing
    return [own or other for own, other in zip(stored, made_up, strict=True)]


def _by_colours(seen: Seen) -> Decoding:
    common = [colour for colour, n in seen.colours.most_common() if n]
    nearest = False
    if len(common) > MAX_CLASSES or seen.lossy:
        common = _dominant(seen.colours)
        nearest = True
    if len(common) > 64 or len(common) < 2:
        raise ValueError(f"masks hold {len(seen.colours):,} colours, too many for classes; {CURE}")
    ordered = sorted(common)
    classes = tuple(ClassInfo(name=f"colour {_hex(colour)}", colour=colour) for colour in ordered)
    if len(ordered) == 2:
        background, foreground = ordered
        classes = (
            ClassInfo(name="background", colour=background),
            ClassInfo(name="foreground", colour=foreground),
        )
    how = "the nearest of the colours" if nearest else "the colours"
    shown = _listed([_hex(colour) for colour in ordered])
    note = f"masks: RGB, {how} {shown} are the classes ({seen.how_many}); to name them, {CURE}"
    coding = MaskCoding(colours={c: i for i, c in enumerate(ordered)}, nearest=nearest)
    return Decoding(coding=coding, classes=classes, notes=(note,))


def _dominant(colours: Counter[Colour]) -> list[Colour]:
    """Return the colours that others scatter round: each the most frequent within 48 of itself."""
    dominant: list[Colour] = []
    for colour, n in colours.most_common(4096):
        if n < 0.001 * colours.total():
            break
        if all(
            max(abs(a - b) for a, b in zip(colour, other, strict=True)) > 48 for other in dominant
        ):
            dominant.append(colour)
    return dominant


def _by_threshold(table: ClassTable) -> Decoding:
    return Decoding(
        coding=MaskCoding(threshold=table.threshold),
        classes=_infos(table),
        notes=(
            f"masks: above {table.threshold} is {table.entries[1].name}, from {table.source.name}",
        ),
    )


def _by_table(seen: Seen, table: ClassTable, trimap_border: str) -> Decoding:
    note = f"masks: classes from {table.source.name}"
    valued = any(entry.values for entry in table.entries)
    if valued:
        missing = [entry.name for entry in table.entries if not entry.values]
        if missing:
            raise ValueError(f"{table.source}: class {missing[0]!r} has no value, but others have")
        values = {v: i for i, entry in enumerate(table.entries) for v in entry.values}
        values |= dict.fromkeys(table.void_values, VOID)
        return Decoding(coding=MaskCoding(values=values), classes=_infos(table), notes=(note,))
    listed = {entry.colour: i for i, entry in enumerate(table.entries) if entry.colour is not None}
    listed |= dict.fromkeys(table.void_colours, VOID)
    if len(listed) > 1 and (seen.coloured or (seen.palette and set(seen.colours) <= set(listed))):
        coding = MaskCoding(colours=listed, nearest=seen.lossy)
        return Decoding(coding=coding, classes=_infos(table), notes=(f"{note}, by colour",))
    return _named(seen, table, trimap_border)


def _named(seen: Seen, table: ClassTable, trimap_border: str) -> Decoding:
    """Give the table's names, in order, to the values that the masks turn out to hold."""
    if seen.coloured:
        raise ValueError(
            f"{table.source}: the masks are RGB ({seen.how_many}), so every class needs its colour"
        )
    found = by_values(seen, [table.source], trimap_border=trimap_border)
    coding = found.coding
    if coding.values is not None:
        values = {v: i for v, i in coding.values.items() if v not in table.void_values}
        indices = sorted(set(values.values()) - {VOID})
        if _are_indices(values):
            values = {i: i for i in range(len(table.entries))} | {
                v: VOID for v, i in values.items() if i == VOID
            }
            too_many = max(indices) >= len(table.entries)
        else:
            renumbered = {old: new for new, old in enumerate(indices)}
            values = {v: renumbered.get(i, VOID) for v, i in values.items()}
            too_many = len(indices) > len(table.entries)
        if too_many:
            raise ValueError(
                f"{table.source}: lists {len(table.entries)} classes, but the masks hold "
                f"{len(indices)}: {_listed([str(v) for v in sorted(seen.values)])}"
            )
        coding = MaskCoding(values=values | dict.fromkeys(table.void_values, VOID))
    notes = (*found.notes, f"masks: class names from {table.source.name}")
    return Decoding(coding=coding, classes=_infos(table), notes=notes)


def _are_indices(values: Mapping[int, int]) -> bool:
    return all(value == index for value, index in values.items() if index != VOID)


def _infos(table: ClassTable) -> tuple[ClassInfo, ...]:
    return tuple(
        ClassInfo(name=entry.name, colour=entry.colour or class_colour(index))
        for index, entry in enumerate(table.entries)
    )


def _hex(colour: Colour) -> str:
    return "{:02x}{:02x}{:02x}".format(*colour)


def _listed(words: Sequence[str]) -> str:
    if len(words) <= 12:
        return ", ".join(words)
    return f"{', '.join(words[:8])}, … {words[-1]}"

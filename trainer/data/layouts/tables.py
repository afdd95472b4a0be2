"""Read masks as a class table beside the data says."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from trainer.data.classes import ClassTable, class_colour
from trainer.data.collection import VOID, ClassInfo, Colour, MaskCoding
from trainer.data.layouts.decoding import (
    APART,
    MOST,
    RARE,
    SCATTER,
    Decoding,
    hexed,
    listed,
    refuse_swallowed,
)
from trainer.data.layouts.looking import Seen
from trainer.data.layouts.said import MASK_VALUES
from trainer.data.layouts.value_rules import by_values

BACKGROUND = ("background", "_background_", "bg")


def by_threshold(seen: Seen, table: ClassTable) -> Decoding:
    """Return how masks are cut at a threshold; ``ValueError`` where colours lie on both sides."""
    cut = table.threshold or 0
    total = seen.colours.total()
    split = [c for c, n in seen.colours.items() if c[0] <= cut < max(c) and n > RARE * total]
    if seen.coloured and split:
        raise ValueError(
            f"{table.source}: the masks hold colours, such as {hexed(split[0])}, which lie on "
            f"no one side of {cut}; say what these mean with --mask-values, or in a classes.yaml"
        )
    return Decoding(
        coding=MaskCoding(threshold=table.threshold, layered=table.layered),
        classes=_infos(table),
        notes=(
            f"masks: above {table.threshold} is {table.entries[1].name}, from {table.source.name}",
        ),
    )


def by_table(seen: Seen, table: ClassTable, masks: Sequence[Path], trimap_border: str) -> Decoding:
    """Return how a table says that masks are read; ``ValueError`` where it does not fit them.

    The first class is the one that scores leave out: it is told where a table calls another so.
    """
    found = _by_table(seen, table, masks, trimap_border)
    if found.coding.nearest and found.coding.colours is not None:
        refuse_swallowed(seen, masks, list(found.coding.colours), SCATTER)
    elif found.coding.nearest and found.coding.values is not None:
        refuse_swallowed(seen, masks, [(v, v, v) for v in found.coding.values], APART)
    first, *others = (info.name for info in found.classes)
    if any(name.lower() in BACKGROUND for name in others):
        note = f"class 0, which scores leave out as the background, is {first}"
        return replace(found, notes=(*found.notes, note))
    return found


def _by_table(seen: Seen, table: ClassTable, masks: Sequence[Path], trimap_border: str) -> Decoding:
    note = f"masks: classes from {table.source.name}"
    valued = any(entry.values for entry in table.entries)
    if valued:
        missing = [entry.name for entry in table.entries if not entry.values]
        if missing:
            raise ValueError(f"{table.source}: class {missing[0]!r} has no value, but others have")
        values = {v: i for i, entry in enumerate(table.entries) for v in entry.values}
        values |= dict.fromkeys(table.void_values, VOID)
        nearest = seen.palette is None and seen.lossy
        if nearest and min(b - a for a, b in pairwise(sorted(values))) < APART:
            raise ValueError(
                f"{table.source}: the values lie closer than {APART} to each other, and the masks "
                "are JPEG, which changes them; save the masks as PNG"
            )
        coding = MaskCoding(values=values, nearest=nearest)
        return Decoding(coding=coding, classes=_infos(table), notes=(note,))
    in_order = table
    if not table.ours:
        table = _background_first(table)
    by_colour = {
        entry.colour: i for i, entry in enumerate(table.entries) if entry.colour is not None
    }
    by_colour |= dict.fromkeys(table.void_colours, VOID)
    in_palette = seen.palette is not None and set(seen.colours) <= set(by_colour)
    if len(by_colour) > 1 and (seen.coloured or in_palette):
        coding = MaskCoding(colours=by_colour, nearest=seen.lossy)
        return Decoding(coding=coding, classes=_infos(table), notes=(f"{note}, by colour",))
    if len(by_colour) > 1 and (levels := _levels(seen, by_colour)) is not None:
        notes = (f"{note}, by colour, which are grey levels",)
        return Decoding(coding=levels, classes=_infos(table), notes=notes)
    greys = len(by_colour) > 1 and all(len(set(colour)) == 1 for colour in by_colour)
    if not seen.coloured and by_colour and (table.source == MASK_VALUES or greys > table.ours):
        shown = listed([str(value) for value in sorted(seen.values)])
        raise ValueError(f"{table.source}: gives colours, but the masks hold the values {shown}")
    return _named(seen, in_order, masks, trimap_border)


def _background_first(table: ClassTable) -> ClassTable:
    """Return another tool's table, whose colours say what is meant, in the order of scores."""
    entries = sorted(table.entries, key=lambda entry: entry.name.lower() not in BACKGROUND)
    return replace(table, entries=tuple(entries))


def _levels(seen: Seen, by_colour: Mapping[Colour, int]) -> MaskCoding | None:
    """Return the coding of grey masks whose levels are what a table gives as colours.

    White may stand first in a table: names in its order would then be given to the wrong values.
    """
    if seen.coloured or seen.palette is not None or any(len(set(c)) > 1 for c in by_colour):
        return None
    values = {colour[0]: index for colour, index in by_colour.items()}
    if set(seen.values) <= set(values):
        return MaskCoding(values=values)
    apart = min(b - a for a, b in pairwise(sorted(values))) >= APART
    between = min(values) <= min(seen.values) and max(seen.values) <= max(values)
    exact = sum(n for value, n in seen.values.items() if value in values)
    if apart and between and (seen.lossy or exact >= MOST * seen.values.total()):
        return MaskCoding(values=values, nearest=True)
    return None


def _named(seen: Seen, table: ClassTable, masks: Sequence[Path], trimap_border: str) -> Decoding:
    """Give the table's names, in order, to the values that the masks turn out to hold."""
    number, where = len(table.entries), table.source
    if seen.coloured:
        raise ValueError(f"{where}: the masks are RGB, so every class needs its colour")
    labels = {value for value in seen.values if value not in (VOID, *table.void_values)}
    note = f"masks: class names from {where.name}"
    void = dict.fromkeys((*table.void_values, VOID), VOID)
    # 0 and 255 alone are two classes, not one class and void.
    if labels and max(labels) < number and (len(labels) > 1 or VOID not in seen.values):
        coding = MaskCoding(values={index: index for index in range(number)} | void)
        notes = (f"{note}, for values 0 to {number - 1} ({seen.how_many})",)
        return Decoding(coding=coding, classes=_infos(table), notes=notes)
    found = by_values(seen, masks, trimap_border=trimap_border)
    if len(found.classes) != number:
        shown = listed([str(value) for value in sorted(seen.values)])
        raise ValueError(
            f"{where}: lists {number} classes, but the masks hold {len(found.classes)}: {shown}"
        )
    coding = found.coding
    if coding.values is not None and table.void_values:
        coding = MaskCoding(values=coding.values | dict.fromkeys(table.void_values, VOID))
    return Decoding(coding=coding, classes=_infos(table), notes=(*found.notes, note))


def _infos(table: ClassTable) -> tuple[ClassInfo, ...]:
    return tuple(
        ClassInfo(name=entry.name, colour=entry.colour or class_colour(index))
        for index, entry in enumerate(table.entries)
    )

"""Read masks as a class table beside the data says."""

from itertools import pairwise

from trainer.data.classes import ClassTable, class_colour
from trainer.data.collection import VOID, ClassInfo, MaskCoding
from trainer.data.layouts.looking import Seen
from trainer.data.layouts.rules import APART, Decoding, by_values, listed


def by_threshold(table: ClassTable) -> Decoding:
    return Decoding(
        coding=MaskCoding(threshold=table.threshold, layered=table.layered),
        classes=_infos(table),
        notes=(
            f"masks: above {table.threshold} is {table.entries[1].name}, from {table.source.name}",
        ),
    )


def by_table(seen: Seen, table: ClassTable, trimap_border: str) -> Decoding:
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
    by_colour = {
        entry.colour: i for i, entry in enumerate(table.entries) if entry.colour is not None
    }
    by_colour |= dict.fromkeys(table.void_colours, VOID)
    in_palette = seen.palette is not None and set(seen.colours) <= set(by_colour)
    if len(by_colour) > 1 and (seen.coloured or in_palette):
        coding = MaskCoding(colours=by_colour, nearest=seen.lossy)
        return Decoding(coding=coding, classes=_infos(table), notes=(f"{note}, by colour",))
    return _named(seen, table, trimap_border)


def _named(seen: Seen, table: ClassTable, trimap_border: str) -> Decoding:
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
    found = by_values(seen, [where], trimap_border=trimap_border)
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

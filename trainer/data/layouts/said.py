"""What stored values mean where the user says it on the command line: ``--mask-values``.

``"0=background 1,255=car 2-9=void #400080=road"``: values, ranges of them or colours, and the
name of the class that they are; what is void is called so. Classes stand in the order in which
they are named, and a name in quotes may hold spaces.
"""

import re
import shlex
from pathlib import Path

from trainer.config.reading import Reading
from trainer.data.class_tables import find_table
from trainer.data.classes import ClassEntry, ClassTable, hex_colour, two_classes
from trainer.data.collection import Colour

MOST = 65_536  # values that a range may hold: those of 16 bits
MASK_VALUES, THRESHOLD = Path("mask_values"), Path("threshold")
VOID_NAME = "void"
JOINED = re.compile(r"[,;]\s*(\d+|#[0-9a-fA-F]{6})[-,\d]*=")


def table_of(path: Path, reading: Reading) -> ClassTable | None:
    """Return the classes as the user says them, else those of a table beside the data, if any.

    The data is a folder, below which it is looked for, or a table of pairs, beside which.

    Raises ``ValueError`` as `classes_said` and `find_table` do.
    """
    if reading.mask_values is not None:
        return classes_said(reading.mask_values)
    found = find_table(path) if path.is_dir() else find_table(path.parent, floors=1)
    if reading.threshold is None:
        return found
    entries = tuple(ClassEntry(name=info.name, colour=info.colour) for info in two_classes())
    if found is not None and len(found.entries) == 2:
        entries = tuple(ClassEntry(name=one.name, colour=one.colour) for one in found.entries)
    return ClassTable(source=THRESHOLD, entries=entries, threshold=reading.threshold, ours=True)


def classes_said(text: str) -> ClassTable:
    """Return the table that ``text`` spells out; ``ValueError`` naming the part that is wrong."""
    try:
        parts = shlex.split(text)
    except ValueError as error:
        raise _wrong(f"{text!r} has a quote without its second: {error}") from error
    values: dict[str, list[int]] = {}
    colours: dict[str, list[Colour]] = {}
    meaning: dict[int | Colour, str] = {}
    for part in parts:
        listed, equals, name = part.partition("=")
        if not (listed and equals and name):
            raise _wrong(f"{part!r} is not VALUES=NAME, such as 0=background or 1,255=car")
        if JOINED.search(name):
            raise _wrong(f"{part!r} holds several; divide them by spaces: 0=background 1=car")
        name = VOID_NAME if name.lower() == VOID_NAME else name
        values.setdefault(name, [])
        colours.setdefault(name, [])
        for each in listed.split(","):
            for value in _values(each, void=name == VOID_NAME):
                if meaning.setdefault(value, name) != name:
                    raise _wrong(f"{each} is both {meaning[value]!r} and {name!r}")
                if isinstance(value, int):
                    values[name].append(value)
                else:
                    colours[name].append(value)
    named = [name for name in values if name != VOID_NAME]
    if any(values[name] for name in values) and any(colours[name] for name in colours):
        raise _wrong("give values or colours, not both")
    for name in named:
        if len(colours[name]) > 1:
            raise _wrong(f"{name!r} has {len(colours[name])} colours; a class has one")
    return ClassTable(
        source=MASK_VALUES,
        entries=tuple(
            ClassEntry(name=name, colour=next(iter(colours[name]), None), values=(*values[name],))
            for name in named
        ),
        void_values=tuple(values.get(VOID_NAME, ())),
        void_colours=tuple(colours.get(VOID_NAME, ())),
        ours=True,
    )


def _values(text: str, *, void: bool) -> list[int | Colour]:
    if (colour := hex_colour(text)) is not None and text.startswith("#"):
        return [colour]
    if void and re.fullmatch(r"-\d+", text):
        return [int(text)]  # Arrays have it for what does not count.
    low, _, high = text.partition("-")
    if not (low.isdecimal() and (high or low).isdecimal()):
        raise _wrong(f"{text!r} is no value; give a whole number, a range 2-9, or #rrggbb")
    first, last = int(low), int(high or low)
    if not first <= last < MOST:
        raise _wrong(f"{text} must rise, and end below {MOST}")
    return list(range(first, last + 1))


def _wrong(problem: str) -> ValueError:
    return ValueError(f"mask_values: {problem}")

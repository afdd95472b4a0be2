"""The table of classes beside the data: in its root, or in a folder below it.

``classes.yaml`` is ours (see docs/data.md); the tables that other tools write are read too:
``class_dict.csv`` (name, r, g, b), ``labelmap.txt`` of CVAT (``name:r,g,b::``),
``label_colors.txt`` of CamVid (``r g b name``), ``_classes.csv`` of Roboflow (value, name), and
``class_names.txt``, ``classes.txt`` or ``codes.txt`` (one name a line).
"""

import csv
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from trainer.data.classes import VOID_NAMES, ClassEntry, ClassTable, hex_colour
from trainer.data.collection import Colour
from trainer.files import read_text
from trainer.settings import typed
from trainer.yaml_files import parse_yaml

log = logging.getLogger(__name__)

KEYS = ("classes", "void", "threshold", "layered")
TABLE_FLOORS = 4
MOST_FOLDERS = 100


def find_table(root: Path, floors: int = TABLE_FLOORS) -> ClassTable | None:
    """Return the class table beside the data, if there is one: the nearest to the root.

    As many ``floors`` of folders are looked at, the root being the first.

    Raises ``ValueError`` naming the file and what is wrong with it where it is a classes.yaml;
    a list that another tool left behind and that is no class table is logged and passed over.
    """
    for folder in _folders(root, floors):
        for name, parse in TABLES.items():
            path = folder / name
            if not path.is_file():
                continue
            try:
                return parse(path, read_text(path))
            except ValueError as error:
                if parse is _from_yaml:
                    raise
                log.warning("not used as a class table: %s", error)
    return None


def _folders(root: Path, floors: int) -> Iterator[Path]:
    """Yield the root and the folders below it, the nearest first, a few floors down."""
    floor = [root]
    for _ in range(floors):
        yield from floor
        below = (entry for folder in floor for entry in _entries(folder))
        floor = [Path(entry.path) for entry in below if entry.is_dir()][:MOST_FOLDERS]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(
                (e for e in entries if not e.name.startswith((".", "__MACOSX"))),
                key=lambda entry: entry.name,
            )
    except OSError:
        return []  # What cannot be looked into, the layouts tell.


def _from_yaml(path: Path, text: str) -> ClassTable:
    document = parse_yaml(text, path, names=True)
    if not isinstance(document.get("classes"), list | dict):
        raise ValueError(f"{path}: must hold 'classes:' with the classes in order")
    if unknown := set(document) - set(KEYS):
        raise ValueError(f"{path}: unknown key {min(unknown)!r}; known: {', '.join(KEYS)}")
    listed = document["classes"]
    items = list(listed.items()) if isinstance(listed, dict) else [_item(x, path) for x in listed]
    entries = tuple(_entry(str(name), given, path) for name, given in items)
    void = document.get("void", [])
    several = isinstance(void, list) and not _is_triple(void)
    plain: list[Any] = void if several else [] if void is None else [void]
    threshold = document.get("threshold")
    if threshold is not None and not _is_value(threshold):
        raise ValueError(f"{path}: threshold {threshold!r} is not a whole number")
    return ClassTable(
        source=path,
        entries=entries,
        void_values=tuple(v for v in plain if _is_value(v)),
        void_colours=tuple(_colour(v, path) for v in plain if not _is_value(v)),
        threshold=threshold,
        layered=typed(f"{path}: layered", document.get("layered", False), bool),
        ours=True,
    )


def _item(entry: Any, path: Path) -> tuple[Any, Any]:
    if isinstance(entry, str | int):
        return entry, None
    if isinstance(entry, dict) and "name" in entry:
        return entry["name"], {k: v for k, v in entry.items() if k != "name"}
    if isinstance(entry, dict) and len(entry) == 1:
        return next(iter(entry.items()))
    raise ValueError(f"{path}: a class is a name, or name, value and colour, not {entry!r}")


def _entry(name: str, given: Any, path: Path) -> ClassEntry:
    if given is None:
        return ClassEntry(name=name)
    if _is_value(given):
        return ClassEntry(name=name, values=(given,))
    if isinstance(given, str) or _is_triple(given):
        return ClassEntry(name=name, colour=_colour(given, path))
    if not isinstance(given, dict) or set(given) - {"value", "values", "colour", "color"}:
        raise ValueError(f"{path}: class {name!r}: give value and colour, not {given!r}")
    values = given.get("values", given.get("value", []))
    plain: list[Any] = values if isinstance(values, list) else [values]
    if not all(_is_value(value) for value in plain):
        raise ValueError(f"{path}: class {name!r}: value {values!r} is not a whole number")
    colour = given.get("colour", given.get("color"))
    return ClassEntry(
        name=name,
        values=tuple(plain),
        colour=None if colour is None else _colour(colour, path),
    )


def _is_value(given: Any) -> bool:
    return isinstance(given, int) and not isinstance(given, bool) and given >= 0


def _is_triple(given: Any) -> bool:
    return isinstance(given, list | tuple) and len(given) == 3 and all(map(_is_value, given))


def _colour(given: Any, path: Path) -> Colour:
    if isinstance(given, str) and (colour := hex_colour(given)) is not None:
        return colour
    if _is_triple(given) and max(given) <= 255:
        return (given[0], given[1], given[2])
    raise ValueError(f"{path}: {given!r} is no colour; give [red, green, blue] or '#rrggbb'")


def _void_apart(path: Path, named: Iterable[tuple[str, Colour | None]]) -> ClassTable:
    entries, void = [], []
    for name, colour in named:
        if name.lower() in VOID_NAMES and colour:
            void.append(colour)
        else:
            entries.append(ClassEntry(name=name, colour=colour))
    return ClassTable(source=path, entries=tuple(entries), void_colours=tuple(void))


def _from_csv(path: Path, text: str) -> ClassTable:
    rows = [row for row in csv.reader(text.splitlines()) if len(row) >= 4]
    if rows and not rows[0][1].strip().isdecimal():
        rows = rows[1:]  # the heading
    named = [(row[0].strip(), _numbers(row[1:4], path)) for row in rows]
    return _void_apart(path, named)


def _from_cvat(path: Path, text: str) -> ClassTable:
    named = []
    for line in _lines(text):
        name, _, rest = line.partition(":")
        named.append((name.strip(), _numbers(rest.split(":")[0].split(","), path)))
    return _void_apart(path, named)


def _from_colour_list(path: Path, text: str) -> ClassTable:
    named = []
    for line in _lines(text):
        parts = line.split(maxsplit=3)
        if len(parts) < 4:
            raise ValueError(f"{path}: a line must read 'red green blue name', not {line!r}")
        named.append((parts[3].strip(), _numbers(parts[:3], path)))
    return _void_apart(path, named)


def _from_roboflow(path: Path, text: str) -> ClassTable:
    heading, *rows = csv.reader(text.splitlines(), skipinitialspace=True) if text else ([],)
    if len(heading) != 2 or "pixel" not in heading[0].lower():
        raise ValueError(f"{path}: has no columns Pixel Value and Class")
    named = [(row[1].strip(), row[0].strip()) for row in rows if len(row) == 2]
    if not all(value.isdecimal() for _, value in named):
        raise ValueError(f"{path}: a pixel value is no whole number")
    entries = tuple(ClassEntry(name=name, values=(int(value),)) for name, value in named)
    return ClassTable(source=path, entries=entries)


def _from_names(path: Path, text: str) -> ClassTable:
    names = [line for line in _lines(text) if line != "__ignore__"]
    names = ["background" if name == "_background_" else name for name in names]
    if len(names) == 1:
        names = ["background", *names]
    return ClassTable(source=path, entries=tuple(ClassEntry(name=name) for name in names))


def _lines(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _numbers(parts: list[str], path: Path) -> Colour:
    try:
        return _colour([int(part) for part in parts], path)
    except ValueError as error:
        raise ValueError(
            f"{path}: {','.join(parts)} is no colour; give red, green, blue"
        ) from error


# Tried in this order.
TABLES: dict[str, Callable[[Path, str], ClassTable]] = {
    "classes.yaml": _from_yaml,
    "classes.yml": _from_yaml,
    "class_dict.csv": _from_csv,
    "labelmap.txt": _from_cvat,
    "label_colors.txt": _from_colour_list,
    "_classes.csv": _from_roboflow,
    "class_names.txt": _from_names,
    "classes.txt": _from_names,
    "codes.txt": _from_names,
}

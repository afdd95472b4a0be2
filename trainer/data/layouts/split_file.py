"""The split that the user gives: ``--split-file``, a JSON as runs store it, or lines of a table."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from trainer.data.collection import Collection
from trainer.data.layouts.listing import composed
from trainer.data.layouts.lists import known_name
from trainer.data.layouts.words import SPLIT_WORDS


def split_as_said(collection: Collection, path: Path) -> Collection:
    """Return the collection with the split of a file in place of any that it had.

    A ``.json`` holds a list of images for each of train, val and test, as the ``split.json`` of a
    run does; anything else has lines of ``image,split``. An image is named as in the lists of
    data sets: by its name, file or path. Raises ``ValueError`` where the file says nothing of the
    data's images, names one in two splits, or leaves nothing to train on or to validate with.
    """
    names = {pair.name for pair in collection.pairs}
    split: dict[str, str] = {}
    absent = []
    for said, where in _said(path):
        name = known_name(said, names)
        if name is None:
            absent.append(said)
        elif split.setdefault(name, where) != where:
            raise ValueError(f"{path}: {said!r} is in {split[name]} and in {where}")
    if not split:
        first = f", such as {absent[0]!r}" if absent else ""
        raise ValueError(f"{path}: names no image of {collection.root}{first}")
    found = set(split.values())
    if "train" not in found or len(found) < 2:
        raise ValueError(f"{path}: has images for {' and '.join(sorted(found))} alone")
    unlisted = [pair.name for pair in collection.pairs if pair.name not in split]
    notes = [f"split by {path.name}"]
    if unlisted:
        notes.append(f"in no split of {path.name}: {len(unlisted)}, such as {unlisted[0]}")
    if absent:
        notes.append(f"named by {path.name}, and not here: {len(absent)}, such as {absent[0]}")
    pairs = tuple(replace(pair, split=split.get(pair.name)) for pair in collection.pairs)
    return replace(collection, pairs=pairs, notes=(*collection.notes, *notes))


def _said(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each image that the file names, and its split."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"split_file: {path} is not UTF-8 text") from error
    except OSError as error:
        raise ValueError(f"split_file: cannot read {path}: {error.strerror}") from error
    if path.suffix.lower() == ".json":
        yield from _of_json(path, text)
        return
    rows = csv.reader(text.splitlines(), delimiter=max(",;\t", key=text.count))
    for number, row in enumerate(rows, start=1):
        cells = [composed(cell.strip()) for cell in row]
        if not any(cells) or cells[0].startswith("#"):
            continue
        if len(cells) < 2 or cells[1].lower() not in SPLIT_WORDS:
            if number == 1 and len(cells) > 1:
                continue  # the heading
            raise ValueError(f"{path}, line {number}: wants image,split; train, val or test")
        yield cells[0], SPLIT_WORDS[cells[1].lower()]


def _of_json(path: Path, text: str) -> Iterator[tuple[str, str]]:
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: is not valid JSON: {error}") from error
    if not isinstance(document, Mapping):
        raise ValueError(f"{path}: must hold a list of images for each of train, val and test")
    for key, members in document.items():
        if key.lower() not in SPLIT_WORDS or not isinstance(members, list):
            raise ValueError(f"{path}: {key!r} is no split with a list of images")
        for member in members:
            yield composed(str(member)), SPLIT_WORDS[key.lower()]

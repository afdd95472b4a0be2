"""labelme: a JSON file with the name of its image beside each image.

Later shapes lie over earlier ones: a hole is drawn after what it is in, labelled ``background``
(or ``_background_``); ``__ignore__`` and the words for void are void. Shapes of one ``group_id``
are parts of one object, each drawn in its turn. What has no area (a point, a line) is not drawn.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trainer.data.collection import Collection, Fault, MaskCoding
from trainer.data.files.annotations import WITHOUT_AREA
from trainer.data.files.imagefile import UnreadableFile
from trainer.data.files.jsonfile import parsed, read_parts
from trainer.data.files.passing import each_in_order
from trainer.data.layouts.folders import name_pairs
from trainer.data.layouts.labels import (
    holds_masks,
    json_files,
    name_classes,
    notes_of_void,
)
from trainer.data.layouts.layout import Layout, Options
from trainer.data.layouts.listing import match, readable
from trainer.data.layouts.looking import sample
from trainer.data.layouts.matching import Source, source_of
from trainer.data.layouts.official import with_split
from trainer.data.layouts.walking import walk
from trainer.wording import counted

LOOKED_AT = 3


def _shapes(path: Path) -> list[Any] | None:
    """Return the shapes of a file of labelme, None where it is none or cannot be read."""
    try:
        held = parsed(read_parts(path)[0], path)
    except UnreadableFile:
        return None
    if not isinstance(held, dict) or "imagePath" not in held:
        return None
    return shapes if isinstance(shapes := held.get("shapes"), list) else None


def _matches(root: Path) -> bool:
    files = [path for found in json_files(root) for path in found]
    folders = walk(root) if files else []
    images = {(folder.path, path.stem) for folder in folders for path in folder.files}
    beside = [path for path in files if (path.parent, path.stem) in images]
    some = [_shapes(path) for path in sample(beside, LOOKED_AT)]
    return bool(some) and None not in some and not holds_masks(root)


def _read(root: Path, options: Options) -> Collection:
    files = {found[0].parent: found for found in json_files(root)}
    sources: list[Source] = []
    faults: list[Fault] = []
    notes: list[str] = []
    for folder in walk(root):
        if folder.path in files:
            found = match(folder.files, files[folder.path])
            sources.append(source_of(folder.place, [(a, (b,)) for a, b in found.pairs]))
            # Other programs' files have no image of their name either, and no shapes.
            faults += [f for f in found.faults if f.path in folder.files or _shapes(f.path)]
        else:
            where = readable(folder.path.relative_to(root).as_posix())
            notes.append(
                f"{counted(len(folder.files), 'image')} in {where}/, without JSON: not used"
            )
    pairs, of_splits = with_split(root, name_pairs(root, sources))
    labels: Counter[str] = Counter()
    without_area: Counter[str] = Counter()
    for drawn, left_out in each_in_order(_tally, [pair.mask for pair in pairs]):
        labels += drawn
        without_area += left_out
    named = name_classes(sorted(labels), options.table, str(root)) if pairs else ((), {})
    classes, index = named
    notes[:0] = _notes(labels, index, without_area)
    return Collection(
        root=root,
        layout=LAYOUT.name,
        pairs=tuple(pairs),
        classes=classes,
        coding=MaskCoding(labels=index),
        faults=tuple(faults),
        notes=(*notes, *of_splits),
    )


def _tally(path: Path) -> tuple[Counter[str], Counter[str]]:
    """Count the shapes of a file by label, and by label and type those without an area."""
    labels: Counter[str] = Counter()
    without_area: Counter[str] = Counter()
    for shape in _shapes(path) or ():
        if not isinstance(shape, dict) or not isinstance(label := shape.get("label"), str):
            continue  # a fault of its file, which is told when it is drawn
        if (kind := shape.get("shape_type")) in WITHOUT_AREA:
            without_area[f"{kind} {label!r}"] += 1
        else:
            labels[label] += 1
    return labels, without_area


def _notes(
    labels: Counter[str], index: Mapping[str, int], without_area: Counter[str]
) -> Iterator[str]:
    drawn = ", ".join(f"{label} {n:,}" for label, n in sorted(labels.items()))
    yield f"masks: labelme's shapes, later ones over earlier: {drawn}"
    yield from notes_of_void(index)
    if without_area:
        listed = ", ".join(f"{n} x {kind}" for kind, n in without_area.most_common(5))
        yield f"not drawn, as without an area: {listed}"


LAYOUT = Layout(
    name="labelme",
    looks_for="a JSON file of labelme beside each image, a.json with a.jpg",
    matches=_matches,
    read=_read,
)

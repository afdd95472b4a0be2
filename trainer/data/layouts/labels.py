"""Classes from what annotations call their shapes, and where annotation files lie."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from trainer.data.classes import VOID_NAMES, ClassTable, class_colour
from trainer.data.collection import MAX_CLASSES, VOID, ClassInfo
from trainer.data.layouts.folders import survey
from trainer.data.layouts.walking import DEEPEST

BACKGROUND = ("background", "_background_")
IGNORED = (*VOID_NAMES, "__ignore__")


def name_classes(
    labels: Sequence[str], table: ClassTable | None, source: str
) -> tuple[tuple[ClassInfo, ...], dict[str, int]]:
    """Return the classes, the background first, and the index of each label.

    A label that means the background is class 0, one that means void is `VOID`; the others are
    classes in their order, or in that of the class table where it lists them all. Raises
    ``ValueError`` where a table of ours does not, and where there are too few or too many.
    """
    own = [label for label in labels if label not in BACKGROUND and label not in IGNORED]
    if not own:
        raise ValueError(f"{source}: no area has a label of a class, so there is nothing to find")
    known = {} if table is None else {e.name: e.colour for e in table.entries[1:]}
    missing = [label for label in own if label not in known]
    if table is not None and table.ours and missing:
        raise ValueError(
            f"{table.source}: does not list {missing[0]!r}, which {source} has, after the "
            "background, which comes first"
        )
    background, colours = BACKGROUND[0], [class_colour(0)]
    if table is not None and not missing:
        own, background = list(known), table.entries[0].name
        colours = [table.entries[0].colour or class_colour(0)]
    if len(own) >= MAX_CLASSES:
        raise ValueError(f"{source}: has {len(own)} classes; at most {MAX_CLASSES - 1} can be")
    colours += [known.get(name) or class_colour(n) for n, name in enumerate(own, start=1)]
    classes = [
        ClassInfo(name=n, colour=c) for n, c in zip([background, *own], colours, strict=True)
    ]
    index = {name: number for number, name in enumerate(own, start=1)}
    common = dict.fromkeys(BACKGROUND, 0) | dict.fromkeys(IGNORED, VOID)
    return tuple(classes), index | {label: common[label] for label in labels if label in common}


def notes_of_void(index: Mapping[str, int]) -> list[str]:
    """Return a note that names the labels that are void or background, if there are any."""
    kinds = {VOID: "void", 0: "background"}
    said = [f"{label} is {kinds[value]}" for label, value in index.items() if value in kinds]
    return [f"labels: {', '.join(said)}"] if said else []


def json_files(root: Path) -> Iterator[list[Path]]:
    """Yield the JSON files of each folder below ``root`` that has any, sorted.

    Links are followed, each real folder once.
    """
    seen: set[str] = set()
    for path, folders, files in os.walk(root, followlinks=True):
        if (real := os.path.realpath(path)) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        if len(Path(path).relative_to(root).parts) >= DEEPEST:
            folders.clear()
        found = [Path(path, n) for n in files if n.lower().endswith(".json") and n[0] != "."]
        if regular := [each for each in sorted(found) if each.is_file()]:
            yield regular


def holds_masks(root: Path) -> bool:
    """Say whether a folder can be read without its annotations: masks lie there."""
    try:
        return bool(survey(root).sources)
    except ValueError:
        return True  # several readings fit, and that is for the user to decide

"""ADE20K as the scene parsing benchmark has it, in ``images/`` and ``annotations/``.

A mask holds 1 to 150 for the classes and 0 for everything else, which is void. Their names stand
in ``objectInfo150.txt``.
"""

import csv
from collections import Counter
from pathlib import Path

from trainer.data.classes import class_colour
from trainer.data.collection import VOID, ClassInfo, Collection, Fault, MaskCoding, Pair
from trainer.data.layouts.layout import Layout, Options
from trainer.data.layouts.listing import first_image, list_images, match, readable

SPLITS = {"training": "train", "validation": "val"}
NAMES = "objectInfo150.txt"
CLASSES = 150


def _matches(root: Path) -> bool:
    first = first_image(root / "annotations" / "training")
    if first is None or not (root / "images" / "training").is_dir():
        return False
    return (root / NAMES).is_file() or first.name.startswith("ADE_")


def _read(root: Path, options: Options) -> Collection:
    del options
    pairs: list[Pair] = []
    faults: list[Fault] = []
    for folder, split in SPLITS.items():
        masks = list_images(root / "annotations" / folder)
        found = match(list_images(root / "images" / folder), masks)
        faults += found.faults
        for image, mask in found.pairs:
            name = readable(image.stem)
            pairs.append(Pair(name=name, image=image, mask=mask, group=name, split=split))
    names = _names(root / NAMES)
    source = f"names from {NAMES}" if names else f"without names, as there is no {NAMES}"
    return Collection(
        root=root,
        layout=LAYOUT.name,
        pairs=tuple(pairs),
        classes=tuple(
            ClassInfo(name=name, colour=class_colour(index))
            for index, name in enumerate(names or [f"class {n + 1}" for n in range(CLASSES)])
        ),
        coding=MaskCoding(values={0: VOID} | {n + 1: n for n in range(CLASSES)}),
        faults=tuple(faults),
        notes=(f"masks: 1 to {CLASSES} are classes, {source}; 0 (other) is void",),
    )


def _names(path: Path) -> list[str]:
    """Return the first of each class's synonyms, or all where two classes share it.

    Empty where there is no file. Raises ``ValueError`` where it does not name all the classes.
    """
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = [row for row in csv.reader(lines, delimiter="\t") if row and row[0].strip().isdecimal()]
    named = {int(row[0]): row[-1].strip() for row in rows}
    if sorted(named) != list(range(1, CLASSES + 1)):
        raise ValueError(f"{path}: names {len(named)} classes; {CLASSES} lines, 1 to 150, must be")
    full = [named[number] for number in sorted(named)]
    first = [name.split(",")[0].strip() for name in full]
    times = Counter(first)
    return [one if times[one] == 1 else whole for one, whole in zip(first, full, strict=True)]


LAYOUT = Layout(
    name="ade20k",
    looks_for="images/training and annotations/training with ADE_*.png, or objectInfo150.txt",
    matches=_matches,
    read=_read,
)

"""Which class each image of a folder is of: by folders, by the pets' list, or by a table.

- a folder a class (``cat/``, ``dog/``), below ``train/``, ``val/`` and ``test/`` where these are;
- Oxford-IIIT Pet: ``images/`` and ``annotations/list.txt``, of which the species is the class;
- a table (.csv) with columns ``image`` and ``class``, and where wanted ``split`` and ``group``.

Where a folder can be read in several of these ways it is refused, with what decides.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trainer.config.reading import Reading
from trainer.data.classes import class_colour
from trainer.data.collection import (
    MAX_CLASSES,
    ClassInfo,
    Collection,
    Fault,
    ImageCoding,
    MaskCoding,
    Pair,
)
from trainer.data.layouts.groups import grouped
from trainer.data.layouts.listing import list_images, readable
from trainer.data.layouts.official import with_split
from trainer.data.layouts.pairs_file import below, file_said, split_said, table_rows
from trainer.data.layouts.split_file import split_as_said
from trainer.data.layouts.walking import walk
from trainer.data.layouts.words import IMAGE_WORDS, MASK_WORDS, SPLIT_WORDS, words
from trainer.wording import counted

NEEDED = ("image", "class")
COLUMNS = (*NEEDED, "split", "group")
PETS_LIST = "annotations/list.txt"
SPECIES = {"1": "cat", "2": "dog"}
WANTED = (
    "wants a folder for each class, the pets' annotations/list.txt beside images/, or --data "
    "TABLE.csv with columns image and class"
)


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """An image, and what a folder, a list or a table says of it."""

    name: str
    image: Path
    label: str
    split: str | None = None
    group: str | None = None


@dataclass(frozen=True, kw_only=True)
class Found:
    """The images of a data set, and what there is to tell of how they were found."""

    layout: str
    images: tuple[Labelled, ...]
    notes: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()


def open_labelled(path: Path, reading: Reading) -> Collection:
    """Return the images under ``path``, each of one class throughout, in a fixed order.

    Raises ``ValueError`` when ``path`` does not exist, when nothing says of its images what they
    are, when several things might, and when there are fewer than two classes.
    """
    root = path.expanduser()
    found = _found(root, reading.layout)
    classes = sorted({one.label for one in found.images})
    if not 2 <= len(classes) <= MAX_CLASSES:
        only = f", {classes[0]!r}" if len(classes) == 1 else ""
        number = counted(len(classes), "class", "classes")
        raise ValueError(f"data: {root} has {number}{only}; 2 to {MAX_CLASSES} can be told apart")
    index = {label: place for place, label in enumerate(classes)}
    collection = Collection(
        root=root,
        layout=found.layout,
        pairs=tuple(
            Pair(
                name=one.name,
                image=one.image,
                mask=one.image,
                group=one.group or one.name,
                split=one.split,
                layers=(index[one.label],),
            )
            for one in found.images
        ),
        classes=tuple(ClassInfo(name=n, colour=class_colour(i)) for n, i in index.items()),
        coding=MaskCoding(values={}),
        faults=found.faults,
        notes=found.notes,
        image_coding=ImageCoding(channels=reading.channels, value_range=reading.value_range),
    )
    if found.layout == "pets":
        pairs, notes = with_split(root, collection.pairs)
        collection = Collection(
            **vars(collection) | {"pairs": tuple(pairs), "notes": (*collection.notes, *notes)}
        )
    if reading.split_file is not None:
        collection = split_as_said(collection, Path(reading.split_file).expanduser())
    return collection if reading.group_by is None else grouped(collection, reading.group_by)


def _found(root: Path, layout: str) -> Found:
    if root.is_file() and root.suffix.lower() == ".csv":
        if layout != "auto":
            raise ValueError(f"layout: {layout} is of folders, and {root} is a table; leave it out")
        return _by_table(root)
    if not root.is_dir():
        problem = "is neither a folder nor a .csv" if root.exists() else "does not exist"
        raise ValueError(f"data: {root} {problem}")
    if layout == "auto":
        ways = _ways(root)
        if len(ways) > 1:
            raise ValueError(
                f"data: {root} can be read in {len(ways)} ways; say which: {', or '.join(ways)}"
            )
        layout = next(iter(ways.values()))
        if layout.endswith(".csv"):
            return _by_table(root / layout)
    return _by_pets(root) if layout == "pets" else _by_folders(root)


def _ways(root: Path) -> dict[str, str]:
    """Return in which ways a folder can be read: by what decides for each, a layout or a table.

    Raises ``ValueError`` when there is none.
    """
    ways = {}
    if (root / PETS_LIST).is_file() and (root / "images").is_dir():
        ways["--layout pets"] = "pets"
    folders = [f for top in _folders(root) for f in (_folders(top) if _split(top) else [top])]
    beside = [f for f in folders if {*words(f.name)} & (IMAGE_WORDS | MASK_WORDS)]
    if folders and not beside:
        ways["--layout folders"] = "folders"
    for table in sorted(path for path in root.glob("*.csv") if path.is_file()):
        with table.open(encoding="utf-8-sig", errors="replace") as file:
            heading = re.split("[,;\t]", file.readline().lower())
        if {cell.strip() for cell in heading}.issuperset(NEEDED):
            ways[f"--data {shlex.quote(str(table))}"] = table.name
    if not ways and beside:
        raise ValueError(
            f"data: {root} holds {beside[0].relative_to(root).as_posix()}/, which reads like "
            "images or masks; if such folders are classes, give --layout folders; a classifier "
            f"{WANTED}"
        )
    if not ways:
        raise ValueError(f"data: nothing in {root} says which class an image is of; it {WANTED}")
    return ways


def _split(folder: Path) -> str | None:
    """Return the split that a folder is called after; None where it is called otherwise."""
    return SPLIT_WORDS.get(folder.name.lower())


def _folders(root: Path) -> list[Path]:
    hidden = (".", "__MACOSX")
    found = (path for path in root.iterdir() if path.is_dir() and not path.name.startswith(hidden))
    return sorted(found)


def _by_folders(root: Path) -> Found:
    tops = _folders(root)
    splits = [folder for folder in tops if _split(folder)]
    if splits and len(splits) < len(tops):
        other = next(folder for folder in tops if folder not in splits)
        raise ValueError(
            f"data: {root} holds {splits[0].name}/, which is a split, beside {other.name}/, which "
            "is none; move them apart, or name image, class and split in a table (--data TABLE.csv)"
        )
    places = [(_split(top), f) for top in splits for f in _folders(top)]
    places += [(None, folder) for folder in tops if not splits]
    images: list[Labelled] = []
    empty: list[str] = []
    for split, folder in places:
        files = [file for inside in walk(folder) for file in inside.files]
        if not files:
            empty.append(folder.relative_to(root).as_posix() + "/")
        for file in files:
            name = readable(file.relative_to(root).as_posix())
            label = readable(folder.name)
            images.append(Labelled(name=name, image=file, label=label, split=split))
    notes = ["the class of an image is its folder's name"]
    if splits:
        notes.append(f"official split by folders: {', '.join(s.name + '/' for s in splits)}")
    if empty:
        notes.append(f"no image in {', '.join(empty)}")
    loose = [file for folder in (root, *splits) for file in list_images(folder)]
    if loose:
        where = f"{counted(len(loose), 'image')} in no class's folder, such as {loose[0].name}"
        notes.append(f"not used: {where}")
    return Found(layout="folders", images=tuple(images), notes=tuple(notes))


def _by_pets(root: Path) -> Found:
    path = root / PETS_LIST
    if not path.is_file():
        raise ValueError(f"data: {root} has no {PETS_LIST}, as layout pets has")
    files = {readable(file.stem): file for file in list_images(root / "images")}
    images, faults = [], []
    for name, species in _species(path):
        if name in files:
            images.append(Labelled(name=name, image=files[name], label=SPECIES[species]))
        else:
            problem = f"missing image: {PETS_LIST} names it"
            faults.append(Fault(path=root / "images" / name, problem=problem))
    notes = [f"classes: the species in {PETS_LIST}, 1 cat and 2 dog"]
    if unlisted := sorted(files.keys() - {one.name for one in images}):
        listed = counted(len(unlisted), "image is", "images are")
        notes.append(f"not used: {listed} not in {PETS_LIST}, such as {unlisted[0]}")
    return Found(layout="pets", images=tuple(images), notes=tuple(notes), faults=tuple(faults))


def _species(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each image that the list names, and its species, the third column."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: cannot be read: {error}") from error
    for number, line in enumerate(text.splitlines(), start=1):
        cells = line.split()
        if not cells or line.startswith("#"):
            continue
        if len(cells) < 3 or cells[2] not in SPECIES:
            raise ValueError(f"{path}, line {number}: wants image, breed and species, 1 or 2")
        yield readable(cells[0]), cells[2]


def _by_table(path: Path) -> Found:
    notes: list[str] = []
    images: dict[Path, Labelled] = {}
    faults: list[Fault] = []
    lines: dict[Path, int] = {}
    for line, row in table_rows(path, NEEDED, COLUMNS, notes):
        where = f"{path}, line {line}"
        if not row["image"] or not row["class"]:
            raise ValueError(f"{where}: has no {'class' if row['image'] else 'image'}")
        image = file_said(path, row["image"])
        if image in images:
            said = f"{images[image].label!r} and {row['class']!r}"
            raise ValueError(f"{path}: lines {lines[image]} and {line} name {row['image']}: {said}")
        lines[image] = line
        if not image.is_file():
            faults.append(Fault(path=image, problem=f"missing image: {path.name} names it"))
        images[image] = Labelled(
            name=readable(below(image, path.parent)),
            image=image,
            label=readable(row["class"]),
            split=split_said(row.get("split") or None, where),
            group=row.get("group") or None,
        )
    missing = {fault.path for fault in faults}
    there = tuple(one for one in images.values() if one.image not in missing)
    told = "its split" if any(one.split for one in there) else "no split"
    notes.insert(0, f"classes from {path.name}, {told}")
    return Found(layout="table", images=there, notes=tuple(notes), faults=tuple(faults))

"""Open a folder of images and masks, whatever its layout.

To add a layout, write a module with a `Layout` named ``LAYOUT`` and add one line to
`trainer.catalogue.data.LAYOUTS`.
"""

from dataclasses import replace
from pathlib import Path

from trainer import names
from trainer.catalogue.data import LAYOUTS
from trainer.config.reading import AUTO, Reading
from trainer.data.collection import Collection, ImageCoding
from trainer.data.layouts.answers import nearest_answer
from trainer.data.layouts.combining import read_combined
from trainer.data.layouts.discovery import discover
from trainer.data.layouts.groups import grouped, proposal
from trainer.data.layouts.inventory import inventory
from trainer.data.layouts.layout import Layout, Options
from trainer.data.layouts.listing import is_image
from trainer.data.layouts.said import table_of
from trainer.data.layouts.split_file import split_as_said

# Layouts that ask the class table themselves, since their masks say nothing of classes, or all.
READ_TABLES = frozenset({"voc", "folders", "pairs", "coco", "labelme"})

ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".xz", ".bz2", ".7z", ".rar")


def open_collection(path: Path, reading: Reading = AUTO) -> Collection:
    """Return the pairs under ``path``, in a fixed order, without decoding the images.

    ``group_by`` is looked for in a pair's name, or else in the image's path below ``path``; who
    gives ``images`` or ``masks`` means the layout `folders`. Raises ``ValueError`` when ``path``
    does not exist or holds no pairs, when no layout fits, when several readings fit equally well,
    and when what ``reading`` says is wrong.
    """
    reading.check_reading()
    root = Path(path).expanduser()
    is_table = root.is_file() and root.suffix.lower() == ".csv"
    if not root.is_dir() and not is_table:
        raise ValueError(f"data: {root} {_no_folder(root)}")
    told = reading.images or reading.masks
    layout = "folders" if told and reading.layout == "auto" else reading.layout
    if is_table:
        names.check("layout of a table of pairs", layout, ["auto", "pairs"])
        layout = "pairs"
    root, chosen = _choose(root) if layout == "auto" else (root, _load(layout))
    options = Options(reading=reading, table=table_of(root, reading))
    read = read_combined if reading.combine else chosen.read
    coding = ImageCoding(channels=reading.channels, value_range=reading.value_range)
    collection = replace(read(root, options), image_coding=coding)
    if not collection.pairs:
        raise ValueError(_no_pairs(collection, _wanted(collection.root, reading, chosen)))
    if options.table is not None and chosen.name not in READ_TABLES:
        collection = _named(collection, options)
    if reading.split_file is not None:
        collection = split_as_said(collection, Path(reading.split_file).expanduser())
    if reading.group_by is not None:
        return grouped(collection, reading.group_by)
    return replace(collection, notes=(*collection.notes, *proposal(collection)))


def _no_folder(path: Path) -> str:
    if not path.exists():
        return "does not exist"
    if path.suffix.lower() in ARCHIVES:
        return "is an archive; unpack it, and give the folder that comes of it"
    return "is a file; give the folder it lies in"


def _load(name: str) -> Layout:
    names.check("layout", name, LAYOUTS)
    layout: Layout = names.imported(LAYOUTS[name])
    return layout


def _choose(root: Path) -> tuple[Path, Layout]:
    """Return the layout that fits and where; an archive's single top folder is looked into.

    The general layout comes last, after the particular ones have been tried on every folder: it
    looks below ``root`` by itself.
    """
    *particular, general = [_load(name) for name in LAYOUTS]
    for folder in _single_folders(root):
        for layout in particular:
            if layout.matches(folder):
                return folder, layout
    return root, general


def _named(collection: Collection, options: Options) -> Collection:
    """Let a classes.yaml overrule what the layout says of the masks; other tables do not."""
    table = options.table
    if table is None or not table.ours:
        return collection
    masks = [pair.mask for pair in collection.pairs]
    decoding = discover(masks, table=table, trimap_border=options.reading.trimap_border)
    return replace(
        collection,
        classes=decoding.classes,
        coding=decoding.coding,
        notes=(*decoding.notes, *collection.notes[1:]),
    )


def _single_folders(root: Path) -> list[Path]:
    """Return ``root`` and, while a folder holds nothing but one folder, that one (VOCdevkit)."""
    chain = [root]
    while len(chain) < 5:
        try:
            inside = [path for path in chain[-1].iterdir() if not path.name.startswith(".")]
        except OSError as error:
            raise ValueError(f"data: cannot look into {chain[-1]}: {error.strerror}") from error
        folders = [path for path in inside if path.is_dir() and path.name != "__MACOSX"]
        if len(folders) != 1 or any(is_image(path.name) for path in inside):
            break
        chain.append(folders[0])
    return chain


def _wanted(root: Path, reading: Reading, layout: Layout) -> str:
    """Say what is missing, or what pairs were looked for, and how to say more."""
    if reading.layout != "auto":
        return f"layout {layout.name} looks for {layout.looks_for}"
    if reading.images or reading.masks:
        return (
            "no names of images and masks agree; a pairs.csv (columns image, mask) says which "
            "belong together"
        )
    return nearest_answer(root) or (
        "looked for masks of the images' names in masks/ beside images/; --images and --masks name "
        "the folders, or the files (--masks '*_m.png'), and a pairs.csv (columns image, mask) says "
        "which belong together"
    )


def _no_pairs(collection: Collection, wanted: str) -> str:
    """Say what there is instead of pairs, and what would be read."""
    found = inventory(collection.root)
    line = (
        f"data: {collection.root} holds no pairs of images and masks: {'; '.join(found)}; "
        f"{wanted}; docs/layouts.md has all that is read"
    )
    if collection.faults:
        first = collection.faults[0]
        line = f"{line}; first of {len(collection.faults)} faults: {first.path}: {first.problem}"
    return line

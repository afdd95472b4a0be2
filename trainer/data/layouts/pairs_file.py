"""The layout that never guesses: a table of pairs, ``pairs.csv`` beside the data or by its path.

A row is one mask of one image: columns ``image`` and ``mask``, and where wanted ``split`` (train,
val or test), ``group``, ``valid`` (a file that is 0 where pixels do not count) and ``name``. Paths
are relative to the table. An image with several masks has a row for each.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trainer.data.collection import Collection, Fault, MaskCoding, Pair
from trainer.data.layouts.discovery import discover, odd_ones
from trainer.data.layouts.layout import Layout, Options
from trainer.data.layouts.listing import readable
from trainer.data.layouts.words import SPLIT_WORDS
from trainer.wording import counted

NAME = "pairs.csv"
NEEDED = ("image", "mask")
COLUMNS = (*NEEDED, "split", "group", "valid", "name")


def table_in(root: Path) -> Path:
    """Return the table of pairs: ``root`` itself where it is one, else the one in it."""
    return root if root.suffix.lower() == ".csv" else root / NAME


@dataclass(kw_only=True)
class _Image:
    """The rows of one image."""

    line: int
    image: Path
    said: dict[str, str]
    masks: list[Path] = field(default_factory=list)


def _read(root: Path, options: Options) -> Collection:
    path = table_in(root)
    if not path.exists():
        nothing = MaskCoding(values={})
        return Collection(root=root, layout=LAYOUT.name, pairs=(), classes=(), coding=nothing)
    notes: list[str] = []
    images = _images(path, notes)
    pairs = _pairs(path, [one for one in images if one.masks])
    masks = [pair.mask for pair in pairs]
    reading = options.reading
    missing = f"missing mask: {path.name} gives none"
    faults = [Fault(path=one.image, problem=missing) for one in images if not one.masks]
    if not pairs:
        raise ValueError(f"{path}: has no row with an image and a mask")
    decoding = discover(masks, table=options.table, trimap_border=reading.trimap_border)
    splits = Counter(pair.split for pair in pairs)
    told = "no split" if set(splits) == {None} else f"official split by {path.name}"
    several = sum(bool(pair.more_masks) for pair in pairs)
    if several:
        notes.append(f"several masks, laid over each other: {counted(several, 'image')}")
    return Collection(
        root=root,
        layout=LAYOUT.name,
        pairs=tuple(pairs),
        classes=decoding.classes,
        coding=decoding.coding,
        faults=(*faults, *odd_ones(pairs, decoding)),
        notes=(*decoding.notes, f"pairs from {path.name}, {told}", *notes),
    )


def _images(path: Path, notes: list[str]) -> list[_Image]:
    found: dict[Path, _Image] = {}
    for line, row in table_rows(path, NEEDED, COLUMNS, notes):
        if not row["image"]:
            raise ValueError(f"{path}, line {line}: has no image")
        said = {column: row[column] for column in COLUMNS[2:] if row.get(column)}
        image = file_said(path, row["image"])
        one = found.setdefault(image, _Image(line=line, image=image, said=said))
        if said != one.said:
            raise ValueError(
                f"{path}: lines {one.line} and {line} say of {row['image']} {one.said} and {said}"
            )
        if row["mask"]:
            mask = file_said(path, row["mask"])
            if mask in one.masks:
                raise ValueError(f"{path}: lines {one.line} and {line} are the same")
            one.masks.append(mask)
    return list(found.values())


def file_said(table: Path, said: str) -> Path:
    """Return the file that a table names, by a path from it on, in the words of any system."""
    path = table.parent / Path(said).expanduser()
    if "\\" in said and not path.exists():
        return table.parent / said.replace("\\", "/")
    return path


def split_said(split: str | None, where: str) -> str | None:
    """Return the split that a table names ``where``; ``ValueError`` when it is none."""
    if split is not None and split.lower() not in SPLIT_WORDS:
        raise ValueError(f"{where}: split {split!r} is not train, val or test")
    return None if split is None else SPLIT_WORDS[split.lower()]


def table_rows(
    path: Path, needed: Sequence[str], columns: Sequence[str], notes: list[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row with its line; the delimiter is what the heading is divided by.

    Raises ``ValueError`` where it cannot be read or lacks a ``needed`` column; one that is none of
    ``columns`` is noted.
    """
    try:
        # A name that is not UTF-8 is told byte by byte, in the table as by the system.
        text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error
    heading, _, _ = text.partition("\n")
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=heading.count))
    names = [name.strip().lower() for name in reader.fieldnames or ()]
    absent = [name for name in needed if name not in names]
    if absent:
        raise ValueError(f"{path}: has no column {absent[0]!r}; it needs {' and '.join(needed)}")
    others = [name for name in names if name and name not in columns]
    if others:
        notes.append(f"columns of {path.name} that are not read: {', '.join(others)}")
    reader.fieldnames = names
    try:
        for row in reader:
            yield reader.line_num, {name: (row[name] or "").strip() for name in names if name}
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}") from error


def _pairs(path: Path, images: Sequence[_Image]) -> list[Pair]:
    stems = [readable(one.image.stem) for one in images]
    if len(set(stems)) < len(stems):
        stems = [readable(below(one.image, path.parent)) for one in images]
    pairs = []
    for one, stem in zip(images, stems, strict=True):
        name, split = readable(one.said.get("name", stem)), one.said.get("split")
        valid = one.said.get("valid")
        pairs.append(
            Pair(
                name=name,
                image=one.image,
                mask=one.masks[0],
                group=readable(one.said.get("group", name)),
                split=split_said(split, f"{path}, line {one.line}"),
                valid=None if valid is None else file_said(path, valid),
                more_masks=tuple(one.masks[1:]),
            )
        )
    return pairs


def below(path: Path, folder: Path) -> str:
    """Return how a table in ``folder`` names a file: relative where it lies below, else whole."""
    whole, top = path.absolute(), folder.absolute()
    return (whole.relative_to(top) if whole.is_relative_to(top) else whole).as_posix()


LAYOUT = Layout(
    name="pairs",
    looks_for=f"{NAME}, or a .csv by its path, with columns image and mask",
    matches=lambda root: table_in(root).is_file(),
    read=_read,
)

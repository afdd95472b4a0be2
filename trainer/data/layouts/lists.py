"""Official splits written as lists: ``train.txt``, ``val.txt``, ``test.txt``.

A line names an image by its stem, file name or path; further columns (a mask's path, a class)
may follow. ``trainval.txt`` counts where there is no ``train.txt``.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from trainer.data.layouts.listing import composed, is_image
from trainer.wording import counted

# Later files do not overrule earlier ones.
LISTS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
    "trainval": "train",
    "train_val": "train",
    "trn": "train",
    "tst": "test",
}
BOTH = ("trainval", "train_val")
FOLDERS = ("", "ImageSets/Segmentation", "splits", "split", "lists", "annotations", "ImageSets")


@dataclass(frozen=True, kw_only=True)
class SplitLists:
    """The split of each listed name, and a note for what the lists name that is not there."""

    split: Mapping[str, str]
    notes: tuple[str, ...]
    absent: tuple[tuple[str, str], ...]


def find_lists(root: Path, folders: Iterable[str] = FOLDERS) -> dict[str, Path]:
    """Return the list files of the first folder that has any: split list name → file.

    Of every folder those directly below it are tried too, after it.
    """
    for folder in folders:
        for place in (root / folder, *(_below(root / folder) if folder else ())):
            found = {name: place / f"{name}.txt" for name in LISTS}
            present = {name: path for name, path in found.items() if path.is_file()}
            if present.keys() - set(BOTH):
                return present
    return {}


def _below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def read_lists(files: Mapping[str, Path], names: Collection[str]) -> SplitLists:
    """Return the split of those of ``names`` that the lists name.

    The notes count names that no list has, and listed names that are not among ``names``
    (``absent``: list file and name). A list in which not one name is known is taken for
    something else. Raises ``ValueError`` where a list cannot be read.
    """
    split: dict[str, str] = {}
    absent: list[tuple[str, str]] = []
    twice: dict[str, str] = {}
    for list_name, path in files.items():
        if list_name in BOTH and files.keys() & {"train", "trn", "training"}:
            continue
        lines = _lines(path)
        known = [known_name(line, names) for line in lines]
        if not any(known):
            continue
        for line, name in zip(lines, known, strict=True):
            if name is None:
                absent.append((path.name, line))
            else:
                if split.setdefault(name, LISTS[list_name]) != LISTS[list_name]:
                    twice[name] = f"{split[name]} and {LISTS[list_name]}"
    notes = []
    unlisted = sum(name not in split for name in names)
    if split and unlisted:
        first = min(name for name in names if name not in split)
        pairs = counted(unlisted, "pair is", "pairs are")
        notes.append(f"{pairs} in no list of the official split, such as {first}")
    if twice:
        name = next(iter(twice))
        listed = counted(len(twice), "name is", "names are")
        notes.append(f"{listed} in two lists, and the first counts: {name} in {twice[name]}")
    if absent:
        where, line = absent[0]
        listed = counted(len(absent), "listed name has", "listed names have")
        notes.append(f"{listed} no pair here, such as {line!r} in {where}")
    return SplitLists(split=split, notes=tuple(notes), absent=tuple(absent))


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error
    lines = (composed(line.strip()) for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def known_name(line: str, names: Collection[str]) -> str | None:
    """Return the name that a line means: the whole line, its first column, or a path's end."""
    words = line.split()
    if not words or not PurePosixPath(words[0]).name:
        return None
    for candidate in (line, words[0], line.split(",")[0].strip(), line.split("\t")[0]):
        for name in (candidate, _stem(candidate)):
            if name in names:
                return name
    parts = PurePosixPath(words[0].replace("\\", "/")).with_suffix("").parts
    ends = ("/".join(parts[start:]) for start in range(len(parts)))
    return next((end for end in ends if end in names), None)


def _stem(path: str) -> str:
    name = PurePosixPath(path.replace("\\", "/")).name
    return PurePosixPath(name).stem if is_image(name) else name

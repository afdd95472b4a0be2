"""Which pictures are meant: image files, folders with all that is below them, and patterns."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from trainer.data.layouts.listing import is_image


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image file, and where below the output folder what is made of it goes, without suffix."""

    path: Path
    place: PurePath


@dataclass(frozen=True, kw_only=True)
class Found:
    """The pictures that were meant, each once, and how many other files lie among them."""

    pictures: tuple[Picture, ...]
    skipped: int


def find_pictures(given: Sequence[Path], out: Path) -> Found:
    """Return the pictures that files, folders and patterns such as ``photos/**/*.jpg`` name.

    What lies below a folder, or below what is fixed of a pattern, keeps its sub-folders; of several
    folders each keeps its name too. Hidden files and what lies below ``out`` are passed over.
    Raises ``ValueError`` where something is not there, holds no picture, or is ``out`` itself.
    """
    folders = sum(path.is_dir() for path in given)
    found: dict[Path, Picture] = {}
    skipped: set[Path] = set()
    for path in given:
        if path.is_file():
            files, top = [path], path.parent
        elif path.is_dir():
            if path.resolve() == out.resolve():
                raise ValueError(f"out: {out} is the folder of the images; give another folder")
            files = list(_below(path, out))
            top = path.parent if folders > 1 and path.name not in ("", "..") else path
        elif glob.has_magic(str(path)):
            files, top = _matching(path, out), _fixed(path)
        else:
            raise ValueError(f"images: {path} does not exist")
        meant = [file for file in files if file == path or is_image(file.name)]
        skipped |= {_entry(file) for file in set(files) - set(meant)}
        if not meant:
            others = f"; its {len(files)} files are none" if files else ""
            raise ValueError(f"images: {path} holds no image{others}")
        for file in meant:
            place = file.relative_to(top).with_suffix("")
            found.setdefault(_entry(file), Picture(path=file, place=place))
    return Found(pictures=tuple(found.values()), skipped=len(skipped))


def _entry(file: Path) -> Path:
    """Return what is the same however a file was reached; two links to one are two pictures."""
    return file.parent.resolve() / file.name


def _below(folder: Path, out: Path) -> Iterator[Path]:
    """Yield the files below a folder in order; links are followed, each real folder once."""
    seen = {out.resolve(), folder.resolve()}
    for top, folders, files in os.walk(folder, followlinks=True, onerror=_refuse):
        entered = []
        for name in sorted(folders):
            real = Path(top, name).resolve()
            if not _is_hidden(name) and real not in seen:
                seen.add(real)
                entered.append(name)
        folders[:] = entered
        yield from (Path(top, name) for name in sorted(files) if not _is_hidden(name))


def _matching(pattern: Path, out: Path) -> list[Path]:
    """Return the files that a pattern matches, and those below the folders that it does.

    Nothing hidden, and so nothing behind a ``..`` that could lead out of where it begins.
    """
    top = _fixed(pattern)
    files: list[Path] = []
    for path in sorted(top.glob(str(pattern.relative_to(top)))):
        is_ours = out.resolve() in (path.resolve(), *path.resolve().parents)
        if not is_ours and not any(map(_is_hidden, path.relative_to(top).parts)):
            files += _below(path, out) if path.is_dir() else [path]
    return list(dict.fromkeys(files))


def _fixed(pattern: Path) -> Path:
    """Return the folder that a pattern begins with, before the first part that may vary."""
    return next(path for path in pattern.parents if not glob.has_magic(str(path)))


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))


def _refuse(error: OSError) -> None:
    raise ValueError(f"images: cannot look into {error.filename}: {error.strerror}") from error

"""Find every folder that holds images, and read from its path what they are."""

import os
from dataclasses import dataclass
from pathlib import Path

from trainer.data.layouts.listing import is_image_file
from trainer.data.layouts.words import Place, place

DEEPEST = 8


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A folder that directly holds images, and what its path says about them."""

    path: Path
    place: Place
    files: tuple[Path, ...]


def walk(root: Path) -> list[Folder]:
    """Return every folder under ``root`` that directly holds images, sorted by path.

    Links are followed, each real folder once; hidden folders are left out. Nothing is asked of
    a file but its name and that it is one, since there may be many thousands.
    """
    found: list[Folder] = []
    seen: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        path = waiting.pop()
        state = path.stat()
        parts = path.relative_to(root).parts
        if (state.st_dev, state.st_ino) in seen or len(parts) > DEEPEST:
            continue
        seen.add((state.st_dev, state.st_ino))
        below, names = _entries(path)
        waiting += [path / name for name in sorted(below, reverse=True)]
        if names:
            files = tuple(path / name for name in sorted(names))
            found.append(Folder(path=path, place=place(parts), files=files))
    return sorted(found, key=lambda folder: folder.path)


def _entries(path: Path) -> tuple[list[str], list[str]]:
    """Return the names of the folders and of the images directly in a folder."""
    try:
        with os.scandir(path) as scan:
            entries = [entry for entry in scan if not entry.name.startswith((".", "__MACOSX"))]
    except PermissionError as error:
        raise ValueError(f"data: cannot look into {path}: {error.strerror}") from error
    images = [entry.name for entry in entries if is_image_file(entry)]
    return [e.name for e in entries if e.is_dir()], images

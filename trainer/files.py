"""Text that is read, and files and folders that are written whole or not at all.

What is being written stands beside its place, under a name that begins with a dot (`is_partial`),
and is on the disk before it takes that place: whoever reads, or cuts the power, meets the earlier
one or the new one.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

from trainer.faults import writing

PARTIAL = ".partial"
REPLACED = ".old"
# What readers of JSON, Parquet and pictures raise for a file that is not what it was.
_DAMAGE = (ValueError, LookupError, TypeError, AttributeError, RecursionError, SyntaxError)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the path of a new file that takes the place of ``path`` when the block ends.

    It has the suffix of ``path``, by which many writers choose their format, and a name of its
    own, so that two who write one file do not meet. Whoever opens it gives it the umask's mode,
    where `tempfile` would make it the writer's alone. A block that raises leaves ``path`` as it
    was. Missing folders are made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{token_hex(8)}{PARTIAL}{path.suffix}")
    try:
        with writing(path):
            yield partial
            _to_disk(partial)
            partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def read_text(path: Path) -> str:
    """Return a text file in UTF-8; ``ValueError`` in one line that names it and what is wrong."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: is not UTF-8 text") from error
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Name ``path`` in one ``ValueError`` where the block cannot make sense of what it holds.

    What the system refuses passes through: that a file is not there is no damage.
    """
    try:
        yield
    except (*_DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        said = " ".join(str(error).split())[:200] or "too deep"
        kind = "" if isinstance(error, ValueError | OSError) else f"{type(error).__name__}: "
        raise ValueError(f"{path}: is damaged ({kind}{said})") from error


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any, *, indent: int | None = None) -> None:
    """Write a JSON file; names stay readable, whatever their alphabet."""
    write_text(path, json.dumps(value, indent=indent, ensure_ascii=False))


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder that takes the place of ``folder`` when the block ends.

    One process at a time may write a folder: its lock is the caller's. No system replaces a folder
    in one step, so the earlier one stands at `aside` for a moment, where one that was killed in it
    has left it. A block that raises leaves ``folder`` as it was.
    """
    partial = folder.with_name(f".{folder.name}{PARTIAL}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        with writing(folder):
            yield partial
            for path in (partial, *partial.rglob("*")):
                (_names_to_disk if path.is_dir() else _to_disk)(path)
            if folder.exists():
                shutil.rmtree(aside(folder), ignore_errors=True)
                folder.rename(aside(folder))
            partial.rename(folder)
            _names_to_disk(folder.parent)  # the earlier one may go once the new one surely stays
    finally:
        if not folder.exists() and aside(folder).exists():  # cut off between the two steps
            aside(folder).rename(folder)
        for left in (partial, aside(folder)):
            shutil.rmtree(left, ignore_errors=True)


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder's files into another, made where it is missing, as the umask's and not theirs.

    A store may be read-only, and a copy of it must not be. Raises ``ValueError`` for a link, which
    may lead anywhere and never end, and for what is no file, such as a pipe or a device.
    """
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        check_own(path)
        if path.is_dir():
            copy_folder(path, target / path.name)
        else:
            check_own(target / path.name)
            shutil.copyfile(path, target / path.name)


def check_own(path: Path) -> None:
    """Raise ``ValueError`` for a link, and for what is neither file nor folder, if it is there.

    For what somebody else may have made.
    """
    if path.is_symlink():
        raise ValueError(f"{path} is a link, which is not followed; put a copy in its place")
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ValueError(f"{path} is neither a file nor a folder; remove it")


def link_or_copy(source: Path, target: Path) -> None:
    """Make ``target`` the file that ``source`` is, sharing the bytes where links work.

    For files that are replaced and never written where they stand.
    """
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def aside(folder: Path) -> Path:
    """Return where a folder stands while `replacing_folder` puts another in its place."""
    return folder.with_name(f".{folder.name}{REPLACED}")


def is_partial(path: Path) -> bool:
    """Whether a file or folder is being written, or was left by a process that was killed."""
    return path.name.startswith(".") and PARTIAL in path.suffixes


def remove_partials(folder: Path) -> None:
    """Remove what a process that was killed left half-written, or replaced, below a folder."""
    for path in [path for path in folder.rglob(".*") if is_partial(path) or _is_replaced(path)]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _is_replaced(path: Path) -> bool:
    name = path.name[1:].removesuffix(REPLACED)
    return path.suffix == REPLACED and name != "" and path.with_name(name).exists()


def _to_disk(path: Path) -> None:
    # Windows does it for a file that may be written alone, others for a read-only one too.
    with path.open("rb+" if os.name == "nt" else "rb") as file:
        os.fsync(file.fileno())


def _names_to_disk(folder: Path) -> None:
    # Windows has no such thing, nor have some network drives.
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)

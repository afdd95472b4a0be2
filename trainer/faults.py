"""What the system refuses, whichever library says so: a full disk, a file that may not be written.

SQLAlchemy, MLflow, safetensors and Arrow each wrap it in an error of their own. It is nothing that
a traceback would explain, and nothing that a setting of a run or of a sweep is to blame for.
"""

import errno
import os
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainer.store import sqlite_path, tracking_uri, without_password

_ROOM = "make room there"
_RIGHT = "it may not be read or written as who you are"
_COPY = "put a copy of before in its place"
CURES = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: "the limit for a file's size is too low there; see ulimit -f",
    errno.EACCES: _RIGHT,
    errno.EPERM: _RIGHT,
    errno.EROFS: "give a place that may be written",
    errno.EIO: "the disk fails; copy what is on it",
    errno.ELOOP: "its links lead in a circle",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ESTALE: "the share is gone; mount it again",
}
DATABASE_CURES = {
    sqlite3.SQLITE_FULL: _ROOM,
    sqlite3.SQLITE_READONLY: _RIGHT,
    sqlite3.SQLITE_CANTOPEN: _RIGHT,
    sqlite3.SQLITE_PERM: _RIGHT,
    sqlite3.SQLITE_IOERR: "the disk is full or fails",
    sqlite3.SQLITE_BUSY: "another program holds it; let that end",
    sqlite3.SQLITE_CORRUPT: _COPY,
    sqlite3.SQLITE_NOTADB: _COPY,
}
GO_ON = "go on with: "
# As torch, CUDA's libraries and the system say it.
_NO_MEMORY = re.compile(
    r"out of memory|(can't|cannot|could not|unable to) allocate|not enough memory|alloc_failed",
    re.IGNORECASE,
)


class Refused(Exception):
    """What the system refused another process, in the words of that one's `system_fault`."""


def system_fault(error: BaseException) -> str | None:
    """Return in one line what the system refused, where, the cure and how to go on.

    None where the error, and what it was raised from, is nothing of the kind.
    """
    if isinstance(error, Refused):
        return str(error)
    chain = list(_chain(error))
    said = next((line for line in map(_said, chain) if line), None)
    if said is None:
        return None
    return "; ".join(filter(None, [said, how_to_go_on(error)]))


def how_to_go_on(error: BaseException) -> str:
    """Return the note of an error that says how to go on; empty where none does."""
    notes = [note for link in _chain(error) for note in getattr(link, "__notes__", ())]
    # The last is the widest: a sweep's, not that of its one run.
    return next((note for note in reversed(notes) if note.startswith(GO_ON)), "")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, the processor's or a GPU's."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    words = isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error)) is not None
    return words or isinstance(error, MemoryError)


def database_fault(error: BaseException, shown: str) -> str | None:
    """Return in one line what is wrong with the SQLite database ``shown``, and the cure."""
    if not isinstance(error, sqlite3.Error):
        return None
    # The lowest byte is the kind; the rest tells more of it. Python's own errors have none.
    cure = DATABASE_CURES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    return None if cure is None else f"{shown}: {error}; {cure}"


@contextmanager
def unless_refused() -> Iterator[None]:
    """Leave undone what the system refuses: what stands inside is not worth another error."""
    try:
        yield
    except Exception as error:
        if system_fault(error) is None:
            raise


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name ``path`` in what the system refuses while it is written: most libraries do not."""
    try:
        yield
    except Exception as error:
        number = next((n for n in map(_number, _chain(error)) if n in CURES), None)
        if number is None or getattr(error, "filename", None):
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__


def _said(error: BaseException) -> str | None:
    if (number := _number(error)) in CURES:
        filename = getattr(error, "filename", None)
        return f"{f'{filename}: ' if filename else ''}{os.strerror(number)}; {CURES[number]}"
    return database_fault(error, f"store: {_store()}") or _server_said(error)


def _number(error: BaseException) -> int:
    if isinstance(error, OSError):
        return error.errno or 0
    # As Rust tells the system's errors, in words alone.
    told = re.search(r"\(os error (\d+)\)", str(error))
    return int(told[1]) if told and type(error).__name__ == "SafetensorError" else 0


def _server_said(error: BaseException) -> str | None:
    """Return what a database server of the store says that cannot go on: full, gone, shut down."""
    alchemy = sys.modules.get("sqlalchemy.exc")
    if alchemy is None or not isinstance(error, alchemy.OperationalError):
        return None
    if isinstance(error.orig, sqlite3.Error):
        return None
    return f"store: {without_password(tracking_uri())}: {' '.join(str(error.orig).split())}"


def _store() -> str:
    return str(sqlite_path(tracking_uri()) or without_password(tracking_uri()))

"""Keep the cache below its limit: the entries that were used longest ago go first."""

import logging
import shutil
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from trainer.files import PARTIAL

# Not on Windows, which refuses to remove a file that somebody maps.
fcntl: Any = import_module("fcntl") if find_spec("fcntl") else None

log = logging.getLogger(__name__)

IN_USE = "in-use"


def hold(entry: Path) -> IO[bytes]:
    """Keep an entry from being evicted, by any process, for as long as the result is open."""
    file = (entry / IN_USE).open("ab")
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_SH)
    return file


def make_room(folder: Path, needed: int, limit: float) -> None:
    """Remove entries, the oldest first, until ``needed`` bytes more stay within ``limit``.

    An entry that some process uses or builds stays, so the limit may be passed for a while.
    What a killed build left behind goes in any case.
    """
    for partial in folder.glob(f"*{PARTIAL}"):
        _remove(partial)
    entries = sorted(filter(None, map(_measured, folder.iterdir())))
    total = sum(size for _, size, _ in entries)
    for _, size, entry in entries:
        if total + needed <= limit:
            return
        if _remove(entry):
            total -= size
            log.info("cache: removed %s, unused for longest", entry)


def _measured(entry: Path) -> tuple[float, int, Path] | None:
    """Return when an entry was used last and its bytes; None for what is no entry, or gone."""
    try:
        size = sum(path.stat().st_size for path in entry.iterdir())
        return entry.stat().st_mtime, size, entry
    except (NotADirectoryError, FileNotFoundError):
        return None


def _remove(entry: Path) -> bool:
    """Remove an entry, or what a killed build left of one; return whether it is gone.

    One that a process builds, opens or uses stays.
    """
    name = entry.name.removeprefix(".").removesuffix(PARTIAL)
    try:
        with FileLock(entry.with_name(f"{name}.lock"), timeout=0):
            if _is_held(entry):
                return False
            going = entry.with_name(f".{name}{PARTIAL}")
            if going != entry:
                entry.rename(going)  # at once, so that nobody finds half an entry
            shutil.rmtree(going)
    except (Timeout, OSError):
        return False
    return True


def _is_held(entry: Path) -> bool:
    if fcntl is None:
        return False
    try:
        with (entry / IN_USE).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False

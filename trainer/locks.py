"""Whether some process holds a lock file; the system lets go of it however that process ends."""

import sys
from pathlib import Path

from filelock import FileLock, Timeout


def is_held(lock: Path) -> bool:
    """Return whether a process holds a lock file of filelock's.

    Asking writes nothing. Raises ``FileNotFoundError`` where there is no such file, and ``OSError``
    where it cannot be opened.
    """
    if sys.platform == "win32":
        try:
            with FileLock(lock.resolve(strict=True), timeout=0):
                return False
        except Timeout:
            return True
    import fcntl

    with lock.open("rb") as file:
        try:
            # Shared: two that ask at the same time must not take each other for the holder.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False

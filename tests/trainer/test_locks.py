"""Whether a lock is held is seen without touching it."""

from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from trainer.locks import is_held


def test_a_lock_is_held_while_somebody_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with pytest.raises(FileNotFoundError):
        is_held(path)
    assert not path.exists()
    lock = FileLock(path)
    with lock:
        assert is_held(path) and is_held(path)
        with pytest.raises(Timeout):
            FileLock(path).acquire(timeout=0)
    path.touch()
    before = path.stat().st_mtime_ns
    assert not is_held(path)
    assert path.stat().st_mtime_ns == before
    with FileLock(path, timeout=0):  # nothing of the question is left
        assert is_held(path)

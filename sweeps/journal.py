"""The journal of sweeps: appended to line by line, and whole again after a crash in one of them.

A torn last line is what a power cut leaves. Nobody has read it, and the next writer cuts it off.
Damage elsewhere is told with its line; `repair` writes a journal without it.
"""

import json
import logging
import re
import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from optuna.distributions import json_to_distribution
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from optuna.study import StudyDirection
from optuna.trial import TrialState

from trainer.files import replacing
from trainer.wording import counted

logger = logging.getLogger(__name__)

BEGINNING = b'{"op_code"'
CREATE_TRIAL = 4
# By the code of what Optuna writes, what its entry must have; ids are whole numbers.
STUDY, TRIAL = "study_id", "trial_id"
NEEDED: dict[int, tuple[str, ...]] = {
    0: ("study_name", "directions"),
    1: (STUDY,),
    2: (STUDY, "user_attr"),
    3: (STUDY, "system_attr"),
    CREATE_TRIAL: (STUDY,),
    5: (TRIAL, "param_name", "param_value_internal", "distribution"),
    6: (TRIAL, "state", "values"),
    7: (TRIAL, "step", "intermediate_value"),
    8: (TRIAL, "user_attr"),
    9: (TRIAL, "system_attr"),
}
CURE = "mend it with: sweeps repair"


class Journal(JournalFileBackend):
    """Optuna's journal in a file, with its end mended before anything is written behind it."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _MendingLock(path))
        self.path = path

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        """Yield the entries from a number on; ``ValueError`` naming the line that is damaged."""
        try:
            for entry in super().read_logs(log_number_from):
                if not _is_sound(entry):
                    raise ValueError("is no entry")
                yield entry
        except (ValueError, RecursionError) as error:
            lines = self.path.read_bytes().splitlines()
            number = next((n for n, line in enumerate(lines, 1) if _entry(line) is None), 0)
            raise ValueError(f"{self.path}, line {number} is damaged; {CURE}") from error


class _MendingLock(JournalFileSymlinkLock):
    """The lock that whoever appends holds: with it, the end of the file is its own to mend."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path

    def acquire(self) -> bool:
        """Wait for the lock, and leave the file with a whole last line."""
        held = super().acquire()
        try:
            _mend_end(self._path)
        except BaseException:
            self.release()
            raise
        return held


def _mend_end(path: Path) -> None:
    with path.open("rb+") as file:
        size = file.seek(0, 2)
        if size == 0:
            return
        file.seek(size - 1)
        if file.read(1) == b"\n":
            return
        file.seek(0)
        torn = file.read().rpartition(b"\n")[2]
        if _entry(torn) is not None:
            file.write(b"\n")
            return
        file.truncate(size - len(torn))
    logger.warning("%s ended in the middle of an entry, as after a crash; it was cut off", path)


def repair(path: Path) -> str:
    """Write the journal without what is damaged, keep the damaged one, and say what was done.

    Raises ``ValueError`` where what is lost began a trial of a sweep that nothing tells: the
    numbers of all later ones would shift.
    """
    lock = _MendingLock(path)
    lock.acquire()
    try:
        lines = path.read_bytes().splitlines()
        kept = [_salvaged(path, number, line) for number, line in enumerate(lines, 1)]
        entries = [line for line in kept if line is not None]
        lost = sum(_entry(line) is None for line in lines)
        if not lost:
            return f"{path} is whole: {counted(len(lines), 'entry', 'entries')}"
        _check_trials(path, entries)
        copy = _free(path)
        shutil.copy2(path, copy)
        with replacing(path) as new:
            new.write_bytes(b"".join(line + b"\n" for line in entries))
    finally:
        lock.release()
    return f"{path}: {counted(lost, 'damaged line')} mended; as it was, it is kept as {copy.name}"


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return found if _is_sound(found) else None


def _is_sound(found: Any) -> bool:
    """Whether what a line holds is an entry that Optuna can go by."""
    if not isinstance(found, dict) or type(code := found.get("op_code")) is not int:
        return False
    needed = ("worker_id", *NEEDED.get(code, ()))
    ids = [found[name] for name in (STUDY, TRIAL) if name in found]
    has_all = code in NEEDED and found.keys() >= set(needed) and all(type(n) is int for n in ids)
    return has_all and _means_something(found)


def _means_something(entry: dict[str, Any]) -> bool:
    """Whether Optuna can make of an entry's values what they stand for."""
    try:
        for name in ("datetime_start", "datetime_complete"):
            if entry.get(name) is not None:
                datetime.fromisoformat(entry[name])
        if "distribution" in entry:
            json_to_distribution(entry["distribution"])
        if "state" in entry:
            TrialState(entry["state"])
        for direction in entry.get("directions", ()):
            StudyDirection(direction)
    except (ValueError, TypeError, KeyError):
        return False
    return True


def _salvaged(path: Path, number: int, line: bytes) -> bytes | None:
    """Return the entry of a line; what stands in for one that is lost, or None where none need."""
    if _entry(line) is not None:
        return line
    # Written behind an entry that was torn, and that nobody has read therefore.
    whole = line[line.rfind(BEGINNING) :]
    if _entry(whole) is not None:
        return whole
    if re.match(rb'\{"op_code": ?%d\b' % CREATE_TRIAL, line) is None:
        return None
    study = re.search(rb'"study_id": ?(\d{1,18})\b', line)
    if study is None:
        raise ValueError(
            f"{path}, line {number} began a trial, and of which sweep cannot be told; go on from a "
            "copy of before"
        )
    placeholder = {"op_code": CREATE_TRIAL, "worker_id": "repair", "study_id": int(study.group(1))}
    return json.dumps(placeholder | {"datetime_start": None}).encode()


def _check_trials(path: Path, entries: Sequence[bytes]) -> None:
    begun = 0
    for number, entry in enumerate(map(json.loads, entries), 1):
        begun += entry["op_code"] == CREATE_TRIAL
        if entry.get("trial_id", -1) >= begun:
            raise ValueError(
                f"{path}: the beginning of trial {entry['trial_id']} is lost (entry {number} "
                "speaks of it); go on from a copy of before"
            )


def _free(path: Path) -> Path:
    copies = (path.with_name(f"{path.name}.damaged-{n}") for n in range(1, 10_000))
    return next(copy for copy in copies if not copy.exists())

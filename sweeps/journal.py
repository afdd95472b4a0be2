"""The journal of sweeps: appended to line by line, and whole again after a crash in one of them.

A torn last line is what a power cut leaves. Nobody has read it, and the next writer cuts it off.
Damage elsewhere is told with its line; `repair` writes a journal without it.
"""

import json
import logging
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
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
CREATE_STUDY, DELETE_STUDY, CREATE_TRIAL = 0, 1, 4
# By the code of what Optuna writes, what its entry must have; ids are whole numbers.
STUDY, TRIAL = "study_id", "trial_id"
NEEDED: dict[int, tuple[str, ...]] = {
    CREATE_STUDY: ("study_name", "directions"),
    DELETE_STUDY: (STUDY,),
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
DOUBLED = "stands there twice"
COPY = "go on from a copy of before"


class Journal(JournalFileBackend):
    """Optuna's journal in a file, with its end mended before anything is written behind it."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _MendingLock(path))
        self.path = path
        self._begun = Begun()

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        """Yield the entries from a number on; ``ValueError`` naming the line that is damaged.

        Optuna reads from 0 first, and then from where it stopped: what has begun is counted along.
        """
        if log_number_from == 0:
            self._begun = Begun()
        try:
            for entry in super().read_logs(log_number_from):
                if not _is_sound(entry) or self._begun.fault(entry):
                    raise ValueError("is no entry, or not in its place")
                yield entry
        except (ValueError, RecursionError) as error:
            number = _damaged(self.path.read_bytes().splitlines())
            raise ValueError(f"{self.path}, line {number} is damaged; {CURE}") from error


class Begun:
    """What the entries so far have begun: Optuna counts studies and trials, and names no number.

    An entry that is lost, or stands there twice, would give all later ones to another trial.
    """

    def __init__(self) -> None:
        self.studies: dict[int, str] = {}
        self.trials = 0
        self._next_study = 0
        self._beginnings: set[tuple[str, str]] = set()

    def fault(self, entry: Mapping[str, Any]) -> str | None:
        """Return what is wrong with the place of a sound entry; None, and count it, if nothing."""
        code, study = entry["op_code"], entry.get(STUDY, -1)
        if study >= self._next_study:
            return f"speaks of sweep {study}, whose beginning is lost"
        if entry.get(TRIAL, -1) >= self.trials:
            return f"speaks of trial {entry[TRIAL]}, whose beginning is lost"
        if code == CREATE_STUDY and entry["study_name"] not in self.studies.values():
            self.studies[self._next_study] = entry["study_name"]
            self._next_study += 1
        elif code == DELETE_STUDY:
            self.studies.pop(study, None)
        elif code == CREATE_TRIAL and study in self.studies:
            if (began := entry.get("datetime_start")) is not None:
                # To the microsecond: one worker begins no two trials in the same.
                if (beginning := (entry["worker_id"], began)) in self._beginnings:
                    return DOUBLED
                self._beginnings.add(beginning)
            self.trials += 1
        return None


def _damaged(lines: Sequence[bytes]) -> int:
    """Return the number of the first line that is damaged, or not in its place; 0 if none is."""
    begun = Begun()
    for number, line in enumerate(lines, 1):
        entry = _entry(line)
        if entry is None or begun.fault(entry):
            return number
    return 0


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

    Raises ``ValueError`` where what is lost began a sweep, or a trial of a sweep that nothing
    tells: the numbers of all later ones would shift.
    """
    lock = _MendingLock(path)
    lock.acquire()
    try:
        lines = path.read_bytes().splitlines()
        kept = [_salvaged(path, number, line) for number, line in enumerate(lines, 1)]
        told = ""
        try:
            entries = _in_order(path, kept)
        except LostTrial:
            # What began it may be what cannot be read, where that is one line for one trial.
            kept, number = _with_beginning(kept)
            if number == 0:
                raise
            entries = _in_order(path, kept)
            told = f"; line {number} is taken for the beginning of a trial"
        lost = sum(line != before for line, before in zip(kept, lines, strict=True))
        lost += len(lines) - kept.count(None) - len(entries)
        if not lost:
            return f"{path} is whole: {counted(len(lines), 'entry', 'entries')}"
        copy = _free(path)
        shutil.copy2(path, copy)
        with replacing(path) as new:
            new.write_bytes(b"".join(line + b"\n" for line in entries))
    finally:
        lock.release()
    mended = f"{counted(lost, 'damaged line')} mended{told}"
    return f"{path}: {mended}; as it was, it is kept as {copy.name}"


class LostTrial(ValueError):
    """An entry speaks of a trial that no entry before it began."""


def _in_order(path: Path, lines: Sequence[bytes | None]) -> list[bytes]:
    """Return the lines that are, without those that stand there twice."""
    begun, entries = Begun(), []
    for number, line in enumerate(lines, 1):
        if line is None:
            continue
        entry = _entry(line)
        assert entry is not None
        fault = begun.fault(entry)
        if fault is None:
            entries.append(line)
        elif fault != DOUBLED:
            kind = LostTrial if TRIAL in entry else ValueError
            raise kind(f"{path}, line {number} {fault}; {COPY}")
    return entries


def _with_beginning(lines: Sequence[bytes | None]) -> tuple[list[bytes | None], int]:
    """Return the lines with a trial begun where one is lost, and its number; 0 if none can be."""
    begun = Begun()
    for line in lines:
        if line is not None and (entry := _entry(line)) is not None:
            begun.fault(entry)
    if lines.count(None) != 1 or len(begun.studies) != 1:
        return list(lines), 0
    at = lines.index(None)
    (study,) = begun.studies
    return [*lines[:at], _beginning(study), *lines[at + 1 :]], at + 1


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
            f"{path}, line {number} began a trial, and of which sweep cannot be told; {COPY}"
        )
    return _beginning(int(study.group(1)))


def _beginning(study: int) -> bytes:
    """Return an entry that stands in for the lost one that began a trial."""
    placeholder = {"op_code": CREATE_TRIAL, "worker_id": "repair", STUDY: study}
    return json.dumps(placeholder | {"datetime_start": None}).encode()


def _free(path: Path) -> Path:
    copies = (path.with_name(f"{path.name}.damaged-{n}") for n in range(1, 10_000))
    return next(copy for copy in copies if not copy.exists())

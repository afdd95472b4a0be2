"""A sweep's memory: its Optuna study, in a journal beside the store or in a database.

A study keeps its spec with it, so that a sweep goes on from its name alone.
"""

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from filelock import BaseFileLock, FileLock
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from sweeps.attributes import PARENT, SPEC, UNCOUNTED
from sweeps.journal import Journal
from sweeps.presence import listening, locks_folder
from sweeps.pruners import build_pruner
from sweeps.reading import (
    journal,
    storage_to_read,
    sweeps_in,
    with_password_told,
    without_template,
)
from sweeps.space import label
from sweeps.spec import SweepSpec, with_changes
from sweeps.spec_reading import from_plain
from trainer.extras import missing
from trainer.faults import GO_ON, system_fault
from trainer.names import unknown
from trainer.store import sqlite_path, without_password

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
STORAGE_ERRORS = (SQLAlchemyError, optuna.exceptions.StorageInternalError)
# A viewer or a backup may hold a database that long.
LOCKED_SECONDS = 60.0
EXAMPLES = "sqlite:///sweeps.db or postgresql+psycopg://user@host/name"


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A study with the spec that it was made from; ``storage`` is its URL, None for the journal."""

    study: optuna.Study
    spec: SweepSpec
    storage: str | None

    @property
    def parent_run_id(self) -> str | None:
        """The run in the store that groups the trials' runs; None before the first start."""
        found = self.study.user_attrs.get(PARENT)
        return None if found is None else str(found)

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """Return the trials that count, of all states or of those named, oldest first."""
        return [
            trial
            for trial in self.study.get_trials(deepcopy=False, states=states or None)
            if UNCOUNTED not in trial.user_attrs
        ]

    def to_claim(self) -> int:
        """Return how many trials have yet to be begun."""
        return max(0, self.spec.total - len(self.trials(*FINISHED, TrialState.RUNNING)))

    @property
    def lock_is_shared(self) -> bool:
        """Whether all who work on the study share `lock`; those of a server may be elsewhere."""
        return self.storage is None or sqlite_path(self.storage) is not None

    @property
    def resuming(self) -> str:
        """The command that goes on with it."""
        return f"sweeps resume {shlex.quote(self.spec.name)}"

    def lock(self) -> BaseFileLock:
        """Return the lock that one process of this machine holds while it claims a trial."""
        return _lock(self.spec.name, self.storage)


def create(spec: SweepSpec, storage: str | None) -> Sweep:
    """Return the sweep that ``spec`` describes, made now or, when it exists, to go on with.

    Raises ``ValueError`` when a sweep of that name searches something else.
    """
    opened = open_storage(storage)
    with _lock(spec.name, storage):
        if spec.name in optuna.get_all_study_names(opened):
            known = _load(opened, spec.name, storage)
            if known.trials(*FINISHED, TrialState.RUNNING) or not known.spec.difference(spec):
                return _go_on(known, spec)
            # Nothing came of it yet, say for a wrong path: the corrected spec takes its place.
            optuna.delete_study(study_name=spec.name, storage=opened)
        study = optuna.create_study(storage=opened, study_name=spec.name, direction="maximize")
        study.set_user_attr(SPEC, spec.to_mapping())
        for setting in spec.first:
            study.enqueue_trial({name: label(value) for name, value in setting.items()})
    return load(spec.name, storage)


def load(name: str, storage: str | None, *, reading: bool = False) -> Sweep:
    """Return the sweep of that name; ``ValueError`` listing the known ones when there is none.

    With ``reading`` it cannot be gone on with, and nothing is made or written where it is looked
    for.
    """
    opened = _opened(storage, reading=reading)
    known = [] if opened is None else optuna.get_all_study_names(opened)
    if not known:
        raise ValueError(f"sweep: there is no {name!r}, nor any other; start one with sweeps run")
    if name not in known:
        raise unknown("sweep", name, known)
    assert opened is not None
    return _load(opened, name, storage)


def load_all(storage: str | None) -> list[Sweep]:
    """Return every sweep of the storage, to be read, in the order in which they were made."""
    opened = _opened(storage, reading=True)
    return [] if opened is None else [_load(opened, n, storage) for n in sweeps_in(opened)]


def change(sweep: Sweep, *, trials: int | None = None, timeout: float | None = None) -> Sweep:
    """Return the sweep with another number of trials or timeout, kept for the next start too.

    Raises ``ValueError`` for a new number of trials below what is done.
    """
    spec = with_changes(sweep.spec, trials=trials, timeout=timeout)
    done = len(sweep.trials(*FINISHED))
    if spec.trials != sweep.spec.trials and spec.trials < done:
        raise ValueError(
            f"trials: {spec.trials} is below the {done} that {spec.name} has done; give at least "
            f"{done}"
        )
    if spec != sweep.spec:
        sweep.study.set_user_attr(SPEC, spec.to_mapping())
    return Sweep(study=sweep.study, spec=spec, storage=sweep.storage)


def _opened(storage: str | None, *, reading: bool) -> BaseStorage | None:
    """Return a storage; None where it is only to be read and there is no journal yet."""
    if not reading:
        return open_storage(storage)
    if storage is None and not journal().is_file():
        return None
    return storage_to_read(storage or str(journal()))


def open_storage(url: str | None) -> BaseStorage:
    """Return Optuna's storage at ``url``; the journal beside the store without one.

    Raises ``ValueError`` with one line when the URL is malformed or cannot be opened.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if url is None:
        _make_folder(journal().parent)
        return JournalStorage(Journal(journal()))
    shown = without_password(url)
    if "://" not in url:
        raise ValueError(f"storage: {shown!r} is not a URL such as {EXAMPLES}")
    if re.match(r"postgres(ql)?://", url):
        raise ValueError(f"storage: {shown}: name the driver, postgresql+psycopg://…")
    # It refuses an address that would name another file.
    local = sqlite_path(url) is not None
    waiting = {"connect_args": {"timeout": LOCKED_SECONDS}} if local else None
    try:
        return listening(RDBStorage(without_template(url), engine_kwargs=waiting))
    except STORAGE_ERRORS as error:
        reason = with_password_told(_cause(error))
        raise ValueError(f"storage: cannot open {shown}: {reason}") from error
    except ImportError as error:
        absent = missing(error) or f"{error.name or 'its driver'} is not installed"
        raise ValueError(f"storage: cannot open {shown}: {absent}") from error


@contextmanager
def in_study(sweep: Sweep) -> Iterator[None]:
    """Turn what the study's database raises into a ``ValueError`` of one line that says so.

    What the system refuses elsewhere says how to go on with the sweep.
    """
    try:
        yield
    except STORAGE_ERRORS as error:
        shown = without_password(sweep.storage or str(journal()))
        raise ValueError(f"storage: {shown}: {_cause(error)}; {GO_ON}{sweep.resuming}") from error
    except Exception as error:
        if system_fault(error):
            error.add_note(f"{GO_ON}{sweep.resuming}")
        raise


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).splitlines() or [type(error).__name__])[0]


def _load(opened: BaseStorage, name: str, storage: str | None) -> Sweep:
    study = optuna.load_study(study_name=name, storage=opened)
    written: dict[str, Any] | None = study.user_attrs.get(SPEC)
    if written is None:
        raise ValueError(f"sweep: {name!r} is a study that was not made by sweeps run")
    try:
        spec = from_plain(written, stored=True)
    except ValueError as error:
        raise ValueError(f"sweep: the spec kept with {name!r} cannot be read: {error}") from error
    study.pruner = build_pruner(spec.pruner)
    return Sweep(study=study, spec=spec, storage=storage)


def _go_on(sweep: Sweep, spec: SweepSpec) -> Sweep:
    if other := sweep.spec.difference(spec):
        raise ValueError(
            f"name: there is a sweep {spec.name!r} with another spec ({other}); give the new one "
            f"a --name, or go on with {sweep.resuming}"
        )
    return change(sweep, trials=spec.trials, timeout=spec.timeout)


def _lock(name: str, storage: str | None) -> BaseFileLock:
    database = sqlite_path(storage) if storage else None
    if database is not None:
        # Who shares the study shares its file, from whatever folder or container.
        return FileLock(database.with_name(f"{database.name}.{name}.lock"))
    _make_folder(locks_folder())
    return FileLock(locks_folder() / f"{name}.lock")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"store: cannot create {folder}: {error.strerror}") from error

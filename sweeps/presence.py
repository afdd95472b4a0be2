"""Whether a trial's worker is alive.

A worker holds a lock file for as long as it lives; the system lets go of it however the process
ends, ``kill -9`` included. A running trial whose worker's lock is found free is therefore dead, at
once. Where it is not found, the worker may be of another machine, container or folder that shares
the study alone: in a database it is heard of by Optuna's heartbeat. The journal lies beside the
lock files; who shares it shares them. Nothing here imports Optuna.
"""

import os
import socket
import threading
import uuid
import warnings
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from sweeps.attributes import WORKER
from trainer.locks import is_held
from trainer.store import local_folder

if TYPE_CHECKING:
    from optuna.storages import BaseStorage, RDBStorage
    from optuna.trial import FrozenTrial

# How long a trial may be without its worker's name: the moment between asking and signing.
UNSIGNED = timedelta(seconds=60)
# How often a worker is heard of in a database, and after how long a silence it is gone: as of runs.
BEAT_SECONDS, SILENT_SECONDS = 30, 300


@dataclass(frozen=True, kw_only=True)
class Presence:
    """A living worker: its lock's name, machine and process."""

    id: str
    host: str
    pid: int

    def to_json(self, *, beats: bool = False) -> dict[str, Any]:
        """Return what a trial keeps of its worker; ``beats`` where it is heard of in a database."""
        worker = {"id": self.id, "host": self.host, "pid": self.pid}
        return worker | {"beats": True} if beats else worker


@contextmanager
def present() -> Iterator[Presence]:
    """Hold this process's lock file as long as it works.

    What is raised leaves the file, free as after a kill: see `sweeps.claims.giving_back`.
    """
    presence = Presence(id=uuid.uuid4().hex, host=socket.gethostname(), pid=os.getpid())
    path = worker_lock(presence.id)
    with FileLock(path):
        yield presence
        path.unlink(missing_ok=True)


def listening(database: "RDBStorage") -> "RDBStorage":
    """Return a database that is asked, and told, when a worker was last heard of."""
    # Given as arguments they warn of being experimental; and `ask` of nobody who beats.
    warnings.filterwarnings("ignore", message="Heartbeat of storage is supposed to be used with")
    database.heartbeat_interval, database.grace_period = BEAT_SECONDS, SILENT_SECONDS
    return database


def listens(storage: "BaseStorage") -> bool:
    """Return whether a study's storage is such a database."""
    from optuna.storages._heartbeat import is_heartbeat_enabled

    return is_heartbeat_enabled(storage)


@contextmanager
def heard_of(storage: "BaseStorage", trial_id: int) -> Iterator[None]:
    """Let the worker of a trial be heard of every `BEAT_SECONDS`, where the storage listens."""
    over = threading.Event()
    thread = threading.Thread(target=_beat, args=(storage, trial_id, over), daemon=True)
    if listens(storage):
        thread.start()
    try:
        yield
    finally:
        over.set()


def silent(storage: "BaseStorage", study_id: int) -> set[int]:
    """Return the ids of the running trials whose worker has not been heard of for too long.

    How long ago that was the database tells by its own clock.
    """
    from optuna.storages._heartbeat import BaseHeartbeat

    if not listens(storage):
        return set()
    assert isinstance(storage, BaseHeartbeat)
    return set(storage._get_stale_trial_ids(study_id))


def is_alive(trial: "FrozenTrial", silent: Container[int] = ()) -> bool:
    """Return whether the worker of a running trial lives, as far as this machine can see.

    ``silent`` are the ids that `silent` returns. A trial that no worker has signed was begun a
    moment ago or, after `UNSIGNED`, by one that is gone. Asking writes nothing and holds nobody up.
    """
    worker = trial.user_attrs.get(WORKER)
    if worker is None:
        begun = trial.datetime_start
        now = datetime.now(UTC) if begun and begun.tzinfo else datetime.now()
        return begun is not None and now - begun < UNSIGNED
    try:
        return is_held(worker_lock(worker["id"]))
    except FileNotFoundError:
        if "beats" in worker:
            return trial._trial_id not in silent
        return bool(worker["host"] != socket.gethostname())


def locks_folder() -> Path:
    """Return the folder of the lock files of sweeps and workers; it may not be there."""
    return local_folder() / "sweeps"


def worker_lock(worker_id: str) -> Path:
    """Return the lock file that a worker holds while it lives."""
    return locks_folder() / f"{worker_id}.worker"


def _beat(storage: "BaseStorage", trial_id: int, over: threading.Event) -> None:
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    while not over.wait(BEAT_SECONDS):
        # A database that is locked or restarted meanwhile is told at the next beat.
        with suppress(SQLAlchemyError, StorageInternalError):
            storage.record_heartbeat(trial_id)  # type: ignore[attr-defined]

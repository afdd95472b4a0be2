"""Whether a trial's worker is alive.

A worker holds a lock file for as long as it lives; the system lets go of it however the process
ends, ``kill -9`` included. A running trial whose worker's lock is free is therefore dead, at once
and without a heartbeat. The lock files of another machine cannot be seen; its trials are left
alone. Nothing here imports Optuna.
"""

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from sweeps.attributes import WORKER
from trainer.locks import is_held
from trainer.store import local_folder

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

# How long a trial may be without its worker's name: the moment between asking and signing.
UNSIGNED = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True)
class Presence:
    """A living worker: its lock's name, machine and process."""

    id: str
    host: str
    pid: int

    def to_json(self) -> dict[str, Any]:
        """Return what a trial keeps of its worker."""
        return {"id": self.id, "host": self.host, "pid": self.pid}


@contextmanager
def present() -> Iterator[Presence]:
    """Hold this process's lock file as long as it works."""
    presence = Presence(id=uuid.uuid4().hex, host=socket.gethostname(), pid=os.getpid())
    path = worker_lock(presence.id)
    with FileLock(path):
        try:
            yield presence
        finally:
            path.unlink(missing_ok=True)


def is_alive(trial: "FrozenTrial") -> bool:
    """Return whether the worker of a running trial lives, as far as this machine can see.

    A trial that no worker has signed was begun a moment ago or, after `UNSIGNED`, by one that is
    gone. Asking writes nothing and holds nobody up.
    """
    worker = trial.user_attrs.get(WORKER)
    if worker is None:
        begun = trial.datetime_start
        now = datetime.now(UTC) if begun and begun.tzinfo else datetime.now()
        return begun is not None and now - begun < UNSIGNED
    try:
        return is_held(worker_lock(worker["id"]))
    except FileNotFoundError:
        return bool(worker["host"] != socket.gethostname())


def locks_folder() -> Path:
    """Return the folder of the lock files of sweeps and workers; it may not be there."""
    return local_folder() / "sweeps"


def worker_lock(worker_id: str) -> Path:
    """Return the lock file that a worker holds while it lives."""
    return locks_folder() / f"{worker_id}.worker"

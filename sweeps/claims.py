"""Who runs which trial: claimed one at a time, given back when cut short, taken from the dead.

A worker holds a lock file for as long as it lives; the system lets go of it however the process
ends, ``kill -9`` included. A running trial whose worker's lock is free is therefore dead, at once
and without a heartbeat. The lock files of another machine cannot be seen; its trials are left
alone.
"""

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.trial import FrozenTrial, TrialState

from sweeps.samplers import UNCOUNTED, build_sampler, distributions
from sweeps.study import Sweep, locks_folder

WORKER, REASON, DEATHS = "worker", "reason", "deaths"
# A setting that kills its process twice would do it again (out of memory, most likely).
MAX_DEATHS = 2
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
    path = _lock_path(presence.id)
    with FileLock(path):
        try:
            yield presence
        finally:
            path.unlink(missing_ok=True)


def claim(sweep: Sweep, presence: Presence) -> tuple[optuna.Trial | None, list[FrozenTrial]]:
    """Return the next trial, its setting drawn, and the trials that were found dead.

    The trial is None when all have been begun. One process at a time claims, so workers neither
    draw the same setting nor begin more trials than the spec asks for.
    """
    with sweep.lock():
        dead = reap(sweep)
        if sweep.to_claim() == 0:
            return None, dead
        study = sweep.study
        number = len(study.get_trials(deepcopy=False))
        study.sampler = build_sampler(sweep.spec, number=number)
        trial = study.ask(distributions(sweep.spec))
        trial.set_user_attr(WORKER, presence.to_json())
    return trial, dead


def give_back(sweep: Sweep, trial: FrozenTrial, reason: str) -> None:
    """End a running trial that was cut short; it does not count, and its setting waits again."""
    storage = sweep.study._storage
    storage.set_trial_user_attr(trial._trial_id, REASON, reason)
    storage.set_trial_user_attr(trial._trial_id, UNCOUNTED, True)
    sweep.study.tell(trial.number, state=TrialState.FAIL)
    deaths = trial.user_attrs.get(DEATHS)
    attributes = None if deaths is None else {DEATHS: deaths}
    sweep.study.enqueue_trial(trial.params, user_attrs=attributes)


def reap(sweep: Sweep) -> list[FrozenTrial]:
    """End the running trials whose worker is gone and return them; call it holding the lock.

    The setting is tried again; the second time that its process dies the trial has failed.
    """
    running = sweep.study.get_trials(deepcopy=True, states=(TrialState.RUNNING,))
    dead = [trial for trial in running if not is_alive(sweep, trial)]
    for trial in dead:
        deaths = trial.user_attrs.get(DEATHS, 0) + 1
        if deaths < MAX_DEATHS:
            trial.user_attrs[DEATHS] = deaths
            give_back(sweep, trial, "its process died")
        else:
            reason = f"its process died {deaths} times; out of memory?"
            sweep.study._storage.set_trial_user_attr(trial._trial_id, REASON, reason)
            sweep.study.tell(trial.number, state=TrialState.FAIL)
        if worker := trial.user_attrs.get(WORKER):
            _lock_path(worker["id"]).unlink(missing_ok=True)
    return dead


def is_alive(sweep: Sweep, trial: FrozenTrial) -> bool:
    """Return whether the worker of a running trial lives, as far as this machine can see."""
    worker = trial.user_attrs.get(WORKER)
    if worker is None:
        # A worker signs while it holds the sweep's lock; only another machine's can be at it now.
        begun = trial.datetime_start if sweep.storage is not None else None
        now = datetime.now(UTC) if begun and begun.tzinfo else datetime.now()
        return begun is not None and now - begun < UNSIGNED
    path = _lock_path(worker["id"])
    if not path.exists():
        return bool(worker["host"] != socket.gethostname())
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def _lock_path(worker_id: str) -> Path:
    return locks_folder() / f"{worker_id}.worker"

"""How a run stands. MLflow says that it runs until somebody closes it, whoever has died.

A run whose process is gone is dead. Its lock tells at once, where this machine sees it; elsewhere
its heartbeat does, and of what leaves none, its silence. What nothing tells of is running.
"""

import shlex
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from trainer.classification.config import ClassifyConfig
from trainer.config import TrainConfig
from trainer.locks import is_held
from trainer.store import local_folder
from trainer.tracking.heartbeat import HEARTBEAT, Heartbeat, read_beat
from trainer.tracking.outbox import Outbox

UNFINISHED = ("RUNNING", "SCHEDULED")
RUNNING, DEAD = "running", "dead"
OURS = (TrainConfig.kind, ClassifyConfig.kind)
_WORDS = {"FINISHED": "finished", "KILLED": "killed", "FAILED": "failed", "RUNNING": RUNNING}

SILENCE = pd.Timedelta(minutes=5)
"""Ten heartbeats, and more than the clocks of machines that know the time are apart."""
MANY = 20
"""So many times as long as the longest of its own epochs a run may be silent."""


def state(status: str, outcome: str | None) -> str:
    """Return how a run says it stands, in one word: once it has ended its outcome comes first."""
    word = _WORDS.get(status, status.lower())
    return word if status in UNFINISHED else outcome or word


def run_lock(run_id: str, uri: str | None = None) -> Path:
    """Return the lock file that the writer of a run holds, on its own machine."""
    return local_folder(uri) / "locks" / f"{run_id}.lock"


def with_dead(
    runs: pd.DataFrame, uri: str, longest_epochs: Callable[[pd.DataFrame], "pd.Series[float]"]
) -> pd.DataFrame:
    """Return the table of runs with those ``dead`` whose process is gone: ``state`` and ``reason``.

    ``longest_epochs`` returns the seconds of the longest epoch of runs, NaN where too few tell; it
    is asked only of runs that neither lock nor heartbeat tells of and that have long been silent.
    """
    now = pd.Timestamp.now(tz="UTC")
    reasons: dict[str, str] = {}
    silent: dict[str, Any] = {}
    needed = runs.reindex(columns=["last_heard", "sweep", "kind", f"tags.{HEARTBEAT}"])
    running: Any = needed[runs["state"] == RUNNING].to_dict("index")
    for run_id, run in running.items():
        why = _why_gone(run_id, read_beat(run[f"tags.{HEARTBEAT}"]), uri, now)
        if why:
            reasons[run_id] = why
        elif why is None and now - run["last_heard"] > SILENCE:
            silent[run_id] = now - run["last_heard"]
    if silent:
        longest: Any = longest_epochs(runs.loc[list(silent)])
        for run_id, seconds in longest.items():
            if silent[run_id].total_seconds() > MANY * seconds:
                reasons[run_id] = f"it is silent for {MANY} times as long as its longest epoch took"
    if not reasons:
        return runs
    told = pd.Series({r: why + _how_to_go_on(r, running[r], uri) for r, why in reasons.items()})
    told = told.astype("str").reindex(runs.index)
    table = runs.copy(deep=False)
    table["state"] = runs["state"].mask(told.notna(), DEAD)
    table["reason"] = runs["reason"].mask(told.notna(), told)
    return table


def seconds_taken(runs: pd.DataFrame, now: pd.Timestamp) -> "pd.Series[float]":
    """Return how long runs took, or take until ``now``; a dead one until its last metric."""
    last = runs["last_heard"].fillna(runs["started"]).where(runs["state"] == DEAD)
    taken: pd.Series[float] = (
        runs["ended"].fillna(last).fillna(now) - runs["started"]
    ).dt.total_seconds()
    return taken


def _why_gone(run_id: str, heartbeat: Heartbeat | None, uri: str, now: pd.Timestamp) -> str | None:
    """Return why a run's process must be gone, "" while it lives; None where nothing tells."""
    held = _is_held(run_id, uri)
    if held:
        return ""
    if heartbeat is None:
        return None if held is None else "its process is gone"
    who = f"process {heartbeat.pid} on {heartbeat.host}"
    if held is False and heartbeat.host == socket.gethostname():
        return f"its {who} is gone"
    heard = pd.Timestamp(heartbeat.time, unit="ms", tz="UTC")
    if now - heard <= SILENCE:
        return ""
    return f"its {who} has not been heard of since {heard:%Y-%m-%d %H:%M} UTC"


def _is_held(run_id: str, uri: str) -> bool | None:
    if not run_id.isalnum():
        return None  # Somebody's made-up id may be a path.
    try:
        return is_held(run_lock(run_id, uri))
    except OSError:
        return None  # It is written elsewhere, or by somebody whose files are not ours to open.


def _how_to_go_on(run_id: str, run: Any, uri: str) -> str:
    if _ends_unsent(run_id, uri):
        return f"; it has ended, which the store does not know; send it with: trainer sync {run_id}"
    if isinstance(run["sweep"], str) and run["sweep"]:
        return f"; go on with: sweeps resume {shlex.quote(run['sweep'])}"
    return f"; go on with: trainer resume {run_id}" if run["kind"] in OURS else ""


def _ends_unsent(run_id: str, uri: str) -> bool:
    if not run_id.isalnum():
        return False  # Somebody's made-up id may be a path.
    try:
        return Outbox(run_id, uri).ends()
    except (ValueError, OSError):
        return False  # It is damaged, or not ours to open.

"""A run is one process's from its first instant: it is held, and whatever cuts in closes it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from filelock import FileLock, Timeout
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from trainer.config import TrainConfig
from trainer.interruption import deaf
from trainer.store import Unreachable
from trainer.tracking.beginning import start_run
from trainer.tracking.closing import ended_by
from trainer.tracking.heartbeat import HEARTBEAT, beat
from trainer.tracking.outbox import Outbox
from trainer.tracking.run import Run
from trainer.tracking.runs import find_runs, finish
from trainer.tracking.standing import run_lock

# Who asks whether a run is being written holds its lock for a moment, and is no writer.
LOCK_SECONDS = 1.0


@contextmanager
def held(run_id: str) -> Iterator[None]:
    """Keep other processes of this machine from writing a run; ``ValueError`` if one does."""
    path = run_lock(run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout:
        raise ValueError(f"run: {run_id} is being trained by another process") from None
    try:
        with Outbox(run_id).locked() as ours:
            if not ours:
                raise ValueError(
                    f"run: another process sends what waits of {run_id}; try again when it is done"
                )
            yield
    finally:
        lock.release()


@contextmanager
def starting(
    config: TrainConfig,
    *,
    parent_run_id: str | None = None,
    tags: Mapping[str, str] | None = None,
    machine: Mapping[str, str] | None = None,
) -> Iterator[Run]:
    """Give a run that was just created, see `start_run`, and that this process holds.

    What cuts in before `closing` takes over closes it here. That may be in the very instant of its
    creation, when the store has it and we do not: it is found by its first heartbeat.
    """
    first = beat()
    run: Run | None = None
    try:
        told = {**(tags or {}), HEARTBEAT: first}
        run = start_run(config, parent_run_id=parent_run_id, tags=told, machine=machine)
        with held(run.id):
            yield run
    except BaseException as error:
        ending = ended_by(error)
        if not isinstance(error, Unreachable) and (run is None or not run.beating.has_begun):
            refused = suppress(MlflowException, SQLAlchemyError, OSError, ValueError)
            with deaf(), refused:
                mine = f"tags.`{HEARTBEAT}` = '{first}' and attributes.status = 'RUNNING'"
                for begun in find_runs(mine):
                    finish(begun.info.run_id, *ending)
        raise

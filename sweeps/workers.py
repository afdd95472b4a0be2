"""The processes that run a sweep's trials, and what happens when one is stopped or dies."""

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.util import get_temp_dir

from optuna.trial import FrozenTrial

from sweeps.attributes import WORKER
from sweeps.claims import claim, giving_back, reap
from sweeps.objective import Fit, Objective
from sweeps.presence import heard_of, present
from sweeps.study import Sweep, in_study, load
from trainer.command_line import log_to_stderr
from trainer.faults import Refused, system_fault
from trainer.interruption import deaf, end_like_ctrl_c

logger = logging.getLogger(__name__)

# How often the study is read to show progress, and how long stopped workers have to save.
GLANCE_SECONDS = 0.5
SAVING_SECONDS = 120.0
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def work(
    sweep: Sweep,
    *,
    fit: Fit | None = None,
    deadline: float | None = None,
    on_change: Callable[[], None] = lambda: None,
) -> None:
    """Run trials in this process until all are begun or ``deadline`` (``time.time()``) is past.

    ``fit`` defaults to `trainer.training.fitting.fit`.
    """
    if fit is None:
        from trainer.training.fitting import fit as train_one

        fit = train_one
    objective = Objective(sweep=sweep, fit=fit, on_change=on_change)
    with in_study(sweep), present() as presence, giving_back(sweep, presence):
        while deadline is None or time.time() < deadline:
            trial, dead = claim(sweep, presence)
            _close_runs(sweep, dead)
            on_change()
            if trial is None:
                return
            with heard_of(sweep.study._storage, trial._trial_id):
                objective.run(trial)


def work_together(
    sweep: Sweep,
    count: int,
    *,
    fit: Fit | None = None,
    deadline: float | None = None,
    on_change: Callable[[], None] = lambda: None,
) -> None:
    """Run trials in ``count`` new processes that share the study.

    Ctrl-C stops all of them, each with its run saved and its setting given back. A worker that
    dies is replaced and its setting tried again. Raises ``ValueError`` for the user's mistake,
    `Refused` for what the system refuses and ``RuntimeError`` for a failure of ours in any of them,
    after stopping the others.
    """
    get_temp_dir()  # The workers' too, and so removed by this process though one is killed.
    with in_study(sweep), _fewer_threads(count):
        crew = [_start(sweep, fit, deadline) for _ in range(count)]
        try:
            while crew:
                wait([member.process.sentinel for member in crew], timeout=GLANCE_SECONDS)
                on_change()
                for member in [m for m in crew if m.process.exitcode is not None]:
                    crew.remove(member)
                    if _died(member):
                        crew += _replacement(sweep, member, fit, deadline)
        except BaseException:
            _stop(crew)
            raise
        finally:
            with deaf():
                with sweep.lock():
                    dead = reap(sweep)
                _close_runs(sweep, dead)
            on_change()


@dataclass(frozen=True, kw_only=True)
class _Member:
    """A worker process and the end of the pipe on which it says how it ended."""

    process: SpawnProcess
    ending: Connection


def _start(sweep: Sweep, fit: Fit | None, deadline: float | None) -> _Member:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(
        target=_member, args=(sweep.spec.name, sweep.storage, fit, deadline, theirs), daemon=False
    )
    process.start()
    theirs.close()
    return _Member(process=process, ending=ours)


def _member(
    name: str, storage: str | None, fit: Fit | None, deadline: float | None, ending: Connection
) -> None:
    # Ctrl-C and a closed terminal reach every process of the terminal; the parent passes either on
    # once, as a SIGTERM, so that no second one cuts into the saving.
    for passed_on in ("SIGINT", "SIGHUP"):
        if hasattr(signal, passed_on):  # Windows has no hang-up.
            signal.signal(getattr(signal, passed_on), signal.SIG_IGN)
    end_like_ctrl_c()
    log_to_stderr()
    quiet_trainer()
    said = "interrupted", ""
    try:
        threading.Thread(target=_end_with_parent, daemon=True).start()
        work(load(name, storage), fit=fit, deadline=deadline)
        said = "done", ""
    except KeyboardInterrupt:
        pass
    except Exception as error:
        if fault := system_fault(error):
            said = "refused", fault
        elif isinstance(error, ValueError):
            said = "mistake", str(error)
        else:
            said = "failure", f"{type(error).__name__}: {error}"
            raise
    finally:
        with suppress(BrokenPipeError):  # Nobody is there to hear it.
            ending.send(said)


def _end_with_parent() -> None:
    """Wait for the end of the process that started this one, and end as with Ctrl-C then."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    logger.warning("the process of the sweep is gone; its worker gives its trial back and ends")
    os.kill(os.getpid(), signal.SIGTERM)


def quiet_trainer() -> None:
    """Keep the trainer's line for each epoch off stderr; the runs' own logs have them."""
    for handler in logging.getLogger("trainer").handlers:
        handler.setLevel(logging.WARNING)


def _died(member: _Member) -> bool:
    """Return whether a process ended without a word; raise what it says went wrong."""
    try:
        kind, text = member.ending.recv()
    except EOFError:
        return True
    finally:
        member.ending.close()
    if kind == "mistake":
        raise ValueError(text)
    if kind == "refused":
        raise Refused(text)
    if kind == "failure":
        raise RuntimeError(f"a worker failed: {text}")
    if kind == "interrupted":
        raise KeyboardInterrupt
    return False


def _replacement(
    sweep: Sweep, member: _Member, fit: Fit | None, deadline: float | None
) -> list[_Member]:
    pid, code = member.process.pid, member.process.exitcode
    with sweep.lock():
        dead = reap(sweep)
    _close_runs(sweep, dead)
    signed = [trial.user_attrs.get(WORKER, {}) for trial in sweep.study.get_trials(deepcopy=False)]
    if pid not in [worker.get("pid") for worker in signed]:
        raise RuntimeError(f"a worker ended before its first trial, with exit code {code}")
    logger.warning("a worker process died (exit code %s)", code)
    return [_start(sweep, fit, deadline)] if sweep.to_claim() else []


def _stop(crew: list[_Member]) -> None:
    """End the workers, giving each time to save its run."""
    for member in crew:
        member.process.terminate()
    patience = time.monotonic() + SAVING_SECONDS
    try:
        for member in crew:
            member.process.join(max(0.0, patience - time.monotonic()))
    finally:
        with deaf():
            for member in crew:
                if member.process.exitcode is None:
                    member.process.kill()
                    member.process.join()


def _close_runs(sweep: Sweep, dead: list[FrozenTrial]) -> None:
    if dead:
        # Late: it imports mlflow, which a worker needs only once it trains.
        from sweeps.parent import close_dead_runs

        close_dead_runs(sweep, dead)


@contextmanager
def _fewer_threads(count: int) -> Iterator[None]:
    """Share the processors among ``count`` workers started inside, unless the user has set it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    share = str(max(1, (cores or 1) // count))
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    if before["OMP_NUM_THREADS"] is None:
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, share))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

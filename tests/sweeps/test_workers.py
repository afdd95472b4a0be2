"""Several processes on one study; processes that die, are killed, are stopped."""

import fcntl
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from sweeps.claims import claim
from sweeps.presence import is_alive, present, worker_lock
from sweeps.search import carry_out
from sweeps.spec import SweepSpec
from sweeps.study import Sweep, create, load
from sweeps.summary import rows
from sweeps.workers import _fewer_threads
from trainer import tracking
from trainer.faults import system_fault

MakeSpec = Callable[..., SweepSpec]
spawn = multiprocessing.get_context("spawn")


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Return as soon as ``condition`` holds; fail the test when it never does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


def running(sweep: Sweep) -> list[int]:
    """Return the numbers of the trials that a living worker runs."""
    return [r.number for r in rows(sweep) if r.state == "running" and r.epochs]


def test_two_workers_share_the_trials_and_do_not_overshoot(
    pretend: ModuleType, spec: MakeSpec
) -> None:
    space = {"batch_size": [1, 2, 4, 8], "kernel_size": [3, 5, 7]}
    sweep = create(spec(space=space, trials=9, pruner="none", epochs=2), None)
    summary = carry_out(sweep, workers=2, fit=pretend.paced_fit)
    assert (summary.complete, summary.finished) == (9, 9)
    trials = sweep.study.get_trials()
    assert len(trials) == 9
    assert len({tuple(t.params.values()) for t in trials}) == 9
    assert len({t.user_attrs["worker"]["pid"] for t in trials}) == 2


def test_a_killed_process_is_noticed_and_its_setting_tried_again(
    pretend: ModuleType, spec: MakeSpec, store: Path
) -> None:
    sweep = create(spec(trials=2, epochs=40, pruner="none"), None)
    sweep.study.set_user_attr("parent_run_id", tracking.start_parent("test", experiment="test"))
    process = spawn.Process(target=pretend.work_slowly, args=("test",))
    process.start()
    wait_until(lambda: bool(running(sweep)))
    (trial,) = sweep.trials()
    assert is_alive(trial)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    assert not is_alive(trial)
    left_open = tracking.find_runs("attributes.status = 'RUNNING' and tags.`segscope.trial` = '0'")
    assert len(left_open) == 1

    summary = carry_out(sweep, fit=pretend.fit)
    assert (summary.complete, summary.failed, summary.running) == (2, 0, 0)
    cut, again, _ = rows(sweep)
    assert (cut.state, cut.reason) == ("cut short", "its process died")
    assert (again.state, again.params) == ("complete", cut.params)
    closed = tracking.get_run(left_open[0].info.run_id)
    assert closed.info.status == "KILLED"
    assert closed.data.tags["segscope.reason"] == "its process died"
    assert not list((store / "sweeps").glob("*.worker"))


@pytest.mark.parametrize("die, complete", [("work_and_die", 0), ("claim_and_die", 1)])
def test_a_setting_has_failed_when_training_it_killed_three_processes(
    pretend: ModuleType, spec: MakeSpec, die: str, complete: int
) -> None:
    sweep = create(spec(trials=1), None)
    for _ in range(3):
        process = spawn.Process(target=getattr(pretend, die), args=("test",))
        process.start()
        process.join()
    summary = carry_out(sweep, fit=pretend.fit)
    assert (summary.complete, summary.finished) == (complete, 1)
    reasons = [row.reason for row in rows(sweep)]
    if complete:
        assert reasons == ["its process died before it trained"] * 3 + [None]
    else:
        assert reasons[-1] == "its process died 3 times; out of memory?"
    assert len({row.params["lr"] for row in rows(sweep)}) == 1


def test_a_worker_that_dies_is_replaced(
    pretend: ModuleType, spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRETEND_MARK", str(tmp_path / "mark"))
    sweep = create(spec(trials=4, pruner="none"), None)
    summary = carry_out(sweep, workers=2, fit=pretend.fit_that_dies_once)
    assert (tmp_path / "mark").exists()
    assert (summary.complete, summary.finished) == (4, 4)
    assert [r.state for r in rows(sweep)].count("cut short") == 1


def test_ctrl_c_stops_every_worker_and_nothing_is_lost(pretend: ModuleType, spec: MakeSpec) -> None:
    sweep = create(spec(trials=4, epochs=3000, pruner="none"), None)

    def interrupt() -> None:
        try:
            wait_until(lambda: len(running(sweep)) == 2, seconds=200)
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        carry_out(load("test", None), workers=2, fit=pretend.slow_fit)
    thread.join()
    cut, waiting = [("cut short", "interrupted")] * 2, [("waiting", None)] * 2
    assert [(r.state, r.reason) for r in rows(sweep)] == cut + waiting
    for number in (0, 1):
        (run,) = tracking.find_runs(f"tags.`segscope.trial` = '{number}'")
        assert run.data.tags["segscope.outcome"] == "interrupted"
    parent = tracking.get_run(str(load("test", None).parent_run_id))
    assert parent.data.tags["segscope.outcome"] == "interrupted"


def test_a_mistake_in_a_worker_reaches_the_user(pretend: ModuleType, spec: MakeSpec) -> None:
    with pytest.raises(ValueError, match="data: nothing there"):
        carry_out(create(spec(), None), workers=2, fit=pretend.fit_that_refuses)


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("lr", [5e-3, 5e-2], ids=["file", "store"])
def test_what_the_disk_has_no_room_for_is_given_back_and_the_sweep_goes_on(
    lr: float, workers: int, pretend: ModuleType, spec: MakeSpec
) -> None:
    sweep = create(spec(first=[{"lr": 5e-4}, {"lr": lr}], trials=2, pruner="none"), None)
    with pytest.raises(Exception, match=r"No space left|cannot open") as raised:
        carry_out(sweep, workers=workers, fit=pretend.fit_without_room)
    fault = "checkpoints: No space left on device; make room there; go on with: sweeps resume test"
    assert system_fault(raised.value) == fault
    assert {r.state for r in rows(sweep)[1:]} == {"cut short", "waiting"}
    parent = tracking.get_run(str(load("test", None).parent_run_id)).data.tags
    assert parent["segscope.outcome"] == "interrupted"
    assert parent["segscope.reason"] == fault
    assert carry_out(load("test", None), workers=workers, fit=pretend.fit).complete == 2


def test_the_processors_are_shared_unless_the_user_says_how(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with _fewer_threads(10_000):
        assert os.environ["OMP_NUM_THREADS"] == "1"
    assert "OMP_NUM_THREADS" not in os.environ
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with _fewer_threads(2):
        assert os.environ["OMP_NUM_THREADS"] == "7"


def test_a_trial_on_another_machine_is_left_alone(pretend: ModuleType, spec: MakeSpec) -> None:
    sweep = create(spec(trials=1), None)
    with present() as presence:
        claim(sweep, presence)
    (trial,) = sweep.trials()
    assert not is_alive(trial)
    sweep.study._storage.set_trial_user_attr(
        trial._trial_id, "worker", {**presence.to_json(), "host": "elsewhere"}
    )
    (trial,) = sweep.trials()
    assert is_alive(trial)
    assert carry_out(sweep, fit=pretend.fit).finished == 0


def test_asking_whether_a_worker_lives_writes_nothing_and_misleads_nobody(
    pretend: ModuleType, spec: MakeSpec
) -> None:
    sweep = create(spec(trials=1), None)
    with present() as presence:
        trial, _ = claim(sweep, presence)
        assert trial is not None and is_alive(sweep.trials()[0])
    lock = worker_lock(presence.id)
    lock.touch()  # As kill -9 leaves it.
    before = lock.stat()
    with lock.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)  # Another that asks at the same moment.
        assert not is_alive(sweep.trials()[0])
    assert (lock.stat().st_mtime_ns, lock.stat().st_ctime_ns) == (
        before.st_mtime_ns,
        before.st_ctime_ns,
    )


@pytest.mark.parametrize("workers", [0, -1])
def test_there_is_at_least_one_worker(spec: MakeSpec, store: Path, workers: int) -> None:
    with pytest.raises(ValueError, match=r"workers: .* must be at least 1"):
        carry_out(create(spec(), None), workers=workers)

"""Dead or running: by its lock, by its heartbeat, by its silence, or unknown."""

import dataclasses
import json
import socket
import time
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st
from mlflow.entities import Metric

from trainer.config import TrainConfig
from trainer.tracking import finish, get_run, set_tags, standing, start_parent, start_run
from trainer.tracking.client import client
from trainer.tracking.heartbeat import BEAT_SECONDS, HEARTBEAT, Heartbeat, read_beat
from trainer.tracking.outbox import Outbox, record
from trainer.tracking.reading import list_runs
from trainer.tracking.runs import ending
from trainer.tracking.standing import MANY, SILENCE, run_lock, seconds_taken, state

HERE, ELSEWHERE = socket.gethostname(), "another-machine"
FRESH, OLD = 0, 3600
HELD, FREE, ABSENT = "held", "free", "absent"


def heard(run_id: str, host: str, seconds_ago: float) -> None:
    then = Heartbeat(host=host, pid=7, time=int((time.time() - seconds_ago) * 1000))
    set_tags(run_id, {HEARTBEAT: json.dumps(dataclasses.asdict(then))})


def logged(run_id: str, metric: str, *seconds_ago: float) -> None:
    now = time.time()
    batch = [
        Metric(metric, 0.5, int((now - ago) * 1000), step)
        for step, ago in enumerate(seconds_ago, start=1)
    ]
    client().log_batch(run_id, metrics=batch)


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("lock", "host", "age", "expected"),
    [
        (HELD, HERE, OLD, "running"),  # it is stopped for a while, or its store is away
        (HELD, ELSEWHERE, OLD, "running"),  # the machine has another name since
        (HELD, None, OLD, "running"),
        (FREE, HERE, FRESH, "dead"),
        (FREE, None, FRESH, "dead"),
        (FREE, ELSEWHERE, FRESH, "running"),  # resumed elsewhere, on a shared folder
        (FREE, ELSEWHERE, OLD, "dead"),
        (ABSENT, HERE, FRESH, "running"),  # started in another folder, or in a container
        (ABSENT, HERE, OLD, "dead"),
        (ABSENT, ELSEWHERE, FRESH, "running"),
        (ABSENT, ELSEWHERE, OLD, "dead"),
        (ABSENT, ELSEWHERE, -OLD, "running"),  # its clock is ahead
        (ABSENT, None, OLD, "running"),
    ],
)
def test_the_lock_decides_here_and_the_heartbeat_elsewhere(
    lock: str, host: str | None, age: float, expected: str
) -> None:
    run = start_run(TrainConfig())
    if host is not None:
        heard(run.id, host, age)
    path = run_lock(run.id)
    if lock != ABSENT:
        path.parent.mkdir()
        path.touch()
    holder = FileLock(path)
    if lock == HELD:
        holder.acquire()
    row = list_runs().loc[run.id]
    holder.release()
    assert (row["status"], row["state"]) == ("RUNNING", expected)
    how = f"; go on with: trainer resume {run.id}"
    assert str(row["reason"]).endswith(how) == (expected == "dead")
    assert path.exists() == (lock != ABSENT)
    assert not list(path.parent.glob("*")) or lock != ABSENT


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        ((7200, 7190, 7180), "dead"),
        ((40, 30, 20), "running"),
        ((9000, 6600, 4200), "running"),  # epochs of 40 minutes
        ((7200, 7190), "running"),  # too few to tell how long its epochs are
        ((), "running"),
        # Logged late: the longest wait counts, and an epoch that is logged twice is no short one.
        ((9000, 5500, 5490, 5480), "running"),
        ((9000, 9000, 6600, 6600, 4200, 4200), "running"),
    ],
)
def test_of_what_leaves_no_sign_silence_tells(ago: tuple[float, ...], expected: str) -> None:
    run_id = start_parent("another program's", experiment="e")
    logged(run_id, "loss", *ago)
    row = list_runs().loc[run_id]
    assert row["state"] == expected
    # Nothing of ours goes on with it.
    assert "go on with" not in str(row["reason"])


@pytest.mark.usefixtures("store")
def test_what_is_logged_once_at_the_start_is_no_epoch() -> None:
    run_id = start_parent("another program's", experiment="e")
    for metric in ("data/images", "data/classes", "parameters"):
        logged(run_id, metric, 7200)
    logged(run_id, "val/dice", 7000, 4500, 2000)
    assert list_runs().loc[run_id, "state"] == "running"


@pytest.mark.usefixtures("store")
def test_an_ended_run_is_never_dead_whatever_its_signs() -> None:
    for outcome in ("completed", "interrupted", "failed"):
        run = start_run(TrainConfig())
        heard(run.id, HERE, OLD)
        run.finish(outcome, "why")
        row = list_runs().loc[run.id]
        assert (row["state"], row["reason"]) == (outcome, "why")


@pytest.mark.usefixtures("store")
def test_a_dead_sweep_and_its_trials_go_on_with_the_sweep() -> None:
    tags = {"segscope.kind": "sweep", "segscope.sweep": "my search"}
    parent = start_parent("my search", experiment="e", tags=tags)
    trial = start_run(TrainConfig(), tags={"segscope.sweep": "my search"})
    for run_id in (parent, trial.id):
        assert list_runs().loc[run_id, "state"] == "running"
        heard(run_id, ELSEWHERE, OLD)
        row = list_runs().loc[run_id]
        assert row["state"] == "dead"
        assert row["reason"].endswith("; go on with: sweeps resume 'my search'")


@pytest.mark.usefixtures("store")
def test_a_dead_runs_time_ends_with_its_last_metric() -> None:
    run = start_run(TrainConfig())
    run.log_epoch(1, {"val/dice": 0.5})
    heard(run.id, ELSEWHERE, OLD)
    runs = list_runs()
    assert runs.loc[run.id, "state"] == "dead"
    tomorrow = pd.Timestamp.now(tz="UTC") + pd.Timedelta(days=1)
    assert 0 <= seconds_taken(runs, tomorrow)[run.id] < 3600
    finish(run.id, "failed")
    assert 0 <= seconds_taken(list_runs(), tomorrow)[run.id] < 3600


def test_a_run_says_how_it_stands_in_one_word() -> None:
    assert state("KILLED", "pruned") == "pruned"
    assert state("FINISHED", None) == state("FINISHED", "") == "finished"
    # Killed while it was being closed: what it was about to say does not hold.
    assert state("RUNNING", "completed") == "running"
    assert state("SCHEDULED", None) == "scheduled"


def test_there_are_many_heartbeats_to_a_silence() -> None:
    assert BEAT_SECONDS == 30 and SILENCE.total_seconds() >= 10 * BEAT_SECONDS and MANY >= 10


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["host", "time"]), inner),
    )
    | st.fixed_dictionaries({"host": st.text(), "pid": st.integers(), "time": st.integers()})
)
def test_any_tag_is_a_heartbeat_or_none(value: object) -> None:
    for tag in (value, json.dumps(value)):
        beat = read_beat(tag)
        assert beat is None or pd.Timestamp(beat.time, unit="ms").year < 2200


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("moment", [9 * 10**15, 2**62])
def test_a_time_out_of_range_costs_a_cell(moment: int) -> None:
    run = start_run(TrainConfig())
    client().log_batch(run.id, metrics=[Metric("val/dice", 0.5, moment, 1)])
    row = list_runs().loc[run.id]
    assert row["state"] == "running" and row["metrics.val/dice"] == 0.5
    assert get_run(run.id).info.status == "RUNNING"


def test_no_path_is_asked_for(store: Path) -> None:
    (store / "locks").mkdir()
    (store / "outside.lock").touch()
    assert standing._is_held("../outside", f"sqlite:///{store}/mlflow.db") is None


def test_only_what_runs_is_asked_for(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = [start_run(TrainConfig()) for _ in range(3)]
    for run in ended:
        run.finish("completed")
    running = start_run(TrainConfig())
    asked: list[str] = []
    monkeypatch.setattr(standing, "is_held", lambda lock: asked.append(lock.stem))
    assert len(list_runs()) == 4
    assert asked == [running.id]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("damage", [b"", b"damaged\n"])
def test_a_run_whose_end_is_not_sent_is_sent_and_not_resumed(damage: bytes) -> None:
    run = start_run(TrainConfig(), tags={"segscope.sweep": "first"})
    heard(run.id, HERE, FRESH)
    run_lock(run.id).parent.mkdir()
    run_lock(run.id).touch()
    box = Outbox(run.id)
    box.put(record(tags={}))
    assert list_runs().loc[run.id, "reason"].endswith("; go on with: sweeps resume first")
    box.put(ending("completed", None))
    before = box.path.read_bytes()
    box.path.write_bytes(before + damage)
    row = list_runs().loc[run.id]
    assert row["state"] == "dead"
    how = "go on with: sweeps resume first" if damage else f"send it with: trainer sync {run.id}"
    assert row["reason"].endswith(how)
    assert box.path.read_bytes() == before + damage

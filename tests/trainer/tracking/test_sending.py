"""What is sent is in the store once and in order, whatever is lost on the way."""

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException

from trainer.config import TrainConfig
from trainer.store import Unreachable
from trainer.tracking import (
    delivery,
    finish,
    get_run,
    held,
    reopen_run,
    sending,
    set_tags,
    start_run,
)
from trainer.tracking.client import client
from trainer.tracking.outbox import Outbox, record, waiting_runs
from trainer.tracking.runs import summaries
from trainer.tracking.sending import Sending
from trainer.tracking.syncing import Synced, sync, sync_others

LOST, REFUSED = "the answer is lost", "the request is lost"


class Line:
    """A store that takes, in turn, what it is told to: ``True``, or loses one way or the other."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.faults: Iterator[str | None] = iter(())
        self.real = client().log_batch
        monkeypatch.setattr(client(), "log_batch", self.log_batch)

    def log_batch(self, *args: Any, **kwargs: Any) -> None:
        fault = next(self.faults, None)
        if fault == REFUSED:
            raise MlflowException(REFUSED)
        self.real(*args, **kwargs)
        if fault == LOST:
            raise MlflowException(LOST)


@pytest.fixture
def line(store: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    monkeypatch.setattr(sending, "RETRY_SECONDS", 0.001)
    return Line(monkeypatch)


def history(run_id: str, key: str) -> list[tuple[int, float]]:
    return [(m.step, m.value) for m in client().get_metric_history(run_id, key)]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(faults=st.lists(st.sampled_from([None, LOST, REFUSED]), max_size=12))
def test_each_record_is_there_once_and_in_order(line: Line, faults: list[str | None]) -> None:
    line.faults = iter(())
    run = start_run(TrainConfig())
    line.faults = iter(faults)
    expected = [(step, step / 8) for step in range(1, 6)]
    for step, value in expected:
        run.log_epoch(step, {"val/dice": value, "nan": float("nan")})
    while run.sending.settle() is not None:
        pass
    assert history(run.id, "val/dice") == expected
    assert [step for step, _ in history(run.id, "nan")] == [step for step, _ in expected]
    assert waiting_runs() == []


def test_a_store_that_takes_nothing_ends_no_run_and_is_told_of_once(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    run = start_run(TrainConfig())
    line.faults = iter([REFUSED] * 10_000)
    with caplog.at_level(logging.WARNING):
        for step in (1, 2, 3):
            run.log_epoch(step, {"val/dice": step / 8})
        line.faults = iter(())
        run.log_epoch(4, {"val/dice": 0.5})
        run.finish("completed")
    assert [entry.getMessage() for entry in caplog.records] == [
        f"the store does not take it: {REFUSED}; training goes on, and 1 record waits",
        "the store answers again, and has all that waited",
    ]
    assert history(run.id, "val/dice") == [(step, step / 8) for step in (1, 2, 3, 4)]


def test_an_end_that_is_not_sent_is_told_and_sent_later_as_it_was(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    run = start_run(TrainConfig())
    run.log_epoch(1, {"val/dice": 0.5})
    line.faults = iter([REFUSED] * 10_000)
    with caplog.at_level(logging.WARNING):
        run.finish("early-stopped", "because")
    ended = time.time() * 1000
    assert caplog.records[-1].getMessage() == (
        f"run {run.id}: the store does not take it: {REFUSED}; 1 record is not sent yet; send "
        f"them with: trainer sync {run.id}"
    )
    assert get_run(run.id).info.status == "RUNNING"
    assert next(sync([run.id])).left == 1
    line.faults = iter(())
    time.sleep(0.01)
    assert list(sync(waiting_runs())) == [Synced(run_id=run.id, sent=1)]
    kept = get_run(run.id)
    assert (kept.info.status, kept.data.tags["segscope.outcome"]) == ("FINISHED", "early-stopped")
    assert kept.info.end_time <= ended
    assert waiting_runs() == []


def test_a_run_goes_on_once_the_store_has_what_waited(line: Line) -> None:
    run = start_run(TrainConfig())
    line.faults = iter([REFUSED] * 10_000)
    run.log_epoch(1, {"val/dice": 0.5})
    run.finish("interrupted")
    again, _ = reopen_run(run.id)
    with pytest.raises(ValueError, match=f"run: {run.id} cannot go on: what waits of it is not"):
        again.reopen()
    line.faults = iter(())
    again.reopen()
    again.log_epoch(2, {"val/dice": 0.6})
    assert history(run.id, "val/dice") == [(1, 0.5), (2, 0.6)]
    assert get_run(run.id).info.status == "RUNNING"


def test_what_is_under_way_at_the_end_of_a_run_changes_nothing_of_whoever_goes_on(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start_run(TrainConfig())
    line.faults = iter([REFUSED] * 10_000)
    run.log_epoch(1, {"val/dice": 0.5})
    entered, answered = threading.Event(), threading.Event()

    def slowly(*args: Any, **kwargs: Any) -> None:
        if entered.is_set():
            line.real(*args, **kwargs)
        else:
            entered.set()
            answered.wait()

    def silent(uri: str) -> None:
        raise Unreachable("silent")

    with monkeypatch.context() as patched:
        patched.setattr(client(), "log_batch", slowly)
        patched.setattr(sending, "check_answers", silent)
        run.sending.settle()
        assert entered.wait(60)
        (under_way,) = (thread for thread in threading.enumerate() if thread is run.sending._thread)
        run.finish("interrupted")
        again, _ = reopen_run(run.id)
        again.sending.outbox.put(record(tags={"segscope.note": "of another"}))
        answered.set()
        under_way.join(60)
    assert len(Outbox(run.id)) == 3
    line.faults = iter(())
    assert list(sync([run.id])) == [Synced(run_id=run.id, sent=3)]
    assert history(run.id, "val/dice") == [(1, 0.5)]


def test_nothing_is_tried_of_a_run_that_has_ended(line: Line) -> None:
    before = threading.active_count()
    run = start_run(TrainConfig())
    line.faults = iter([REFUSED] * 10_000)
    run.log_epoch(1, {"val/dice": 0.5})
    run.finish("interrupted")
    assert next(sync([run.id])).left == 2
    deadline = time.monotonic() + 60
    while threading.active_count() > before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert len(Outbox(run.id)) == 2


def test_what_others_write_to_a_run_comes_behind_what_waits_of_it(line: Line) -> None:
    run = start_run(TrainConfig())
    Outbox(run.id).put(record(tags={"segscope.outcome": "completed"}), *summaries({"a": 1.0}, 3))
    finish(run.id, "interrupted", "its process died")
    assert get_run(run.id).data.tags["segscope.outcome"] == "interrupted"
    assert history(run.id, "a") == [(3, 1.0)]
    with Outbox(run.id).locked(), pytest.raises(ValueError, match="another process sends"):
        set_tags(run.id, {"b": "c"})


def test_a_run_that_is_being_sent_does_not_go_on(line: Line) -> None:
    run = start_run(TrainConfig())
    with (
        Outbox(run.id).locked(),
        pytest.raises(ValueError, match=f"another process sends what waits of {run.id}; try again"),
        held(run.id),
    ):
        pass
    with held(run.id):
        assert list(sync([run.id])) == [Synced(run_id=run.id, why="another process writes it")]


def test_what_others_left_is_sent_beside_a_run(line: Line) -> None:
    left, run = start_run(TrainConfig()), start_run(TrainConfig())
    for one in (left, run):
        Outbox(one.id).put(*summaries({"a": 1.0}, 1))
    sync_others(run.id)
    deadline = time.monotonic() + 60
    while waiting_runs() != [run.id]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert history(left.id, "a") == [(1, 1.0)]


def test_a_damaged_outbox_keeps_no_other_from_being_sent(line: Line) -> None:
    left = start_run(TrainConfig())
    Outbox(left.id).put(*summaries({"a": 1.0}, 1))
    Outbox("0").put(record(tags={}))
    Outbox("0").path.write_text("damaged\n")
    damaged, sent = sync(waiting_runs())
    assert damaged.why is not None and "line 1 of" in damaged.why
    assert sent == Synced(run_id=left.id, sent=1)


def test_once_a_server_is_silent_no_other_run_is_tried(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def silent(uri: str) -> None:
        asked.append(uri)
        raise Unreachable("silent")

    # The first is tried again and again meanwhile, which are no tries of the others.
    monkeypatch.setattr(sending, "RETRY_SECONDS", 60.0)
    for run_id in ("a", "b", "c"):
        Outbox(run_id).put(record(tags={}))
    for module in (sending, delivery):
        monkeypatch.setattr(module, "check_answers", silent)
    assert list(sync("abc")) == [
        Synced(run_id=run_id, left=1, why=delivery.SILENT) for run_id in "abc"
    ]
    assert len(asked) <= 2


def test_no_password_is_in_what_is_told_or_kept(
    line: Line, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = start_run(TrainConfig())
    secret = "http://me:secret@localhost:1"
    monkeypatch.setattr(delivery, "check_answers", lambda uri: None)
    monkeypatch.setattr(client(), "log_batch", lambda *_, **__: refuse(f"no {secret}/api"))
    monkeypatch.setattr(type(client()), "tracking_uri", secret)
    with caplog.at_level(logging.WARNING):
        run.sending.put(record(tags={"a": "b"}))
        run.sending.missed()
        deadline = time.monotonic() + 60
        while not caplog.records:
            assert time.monotonic() < deadline
    assert "secret" not in caplog.text
    assert "secret" not in run.sending.outbox.path.read_text()


def refuse(message: str) -> None:
    raise MlflowException(message)


def test_no_thread_is_left_once_all_is_sent(line: Line) -> None:
    before = threading.active_count()
    run = start_run(TrainConfig())
    for step in range(1, 20):
        run.log_epoch(step, {"val/dice": 0.5})
    assert Sending(run.id).settle() is None
    deadline = time.monotonic() + 60
    while threading.active_count() > before:
        assert time.monotonic() < deadline
        time.sleep(0.01)

"""A heartbeat comes with each epoch and between them, and ends with the run."""

import json
import logging
import os
import socket
import threading
import time
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException

from trainer.config import TrainConfig
from trainer.store import Unreachable
from trainer.tracking import closing, get_run, heartbeat, start_run
from trainer.tracking.client import client
from trainer.tracking.heartbeat import HEARTBEAT, Beating, read_beat


def last_beat(run_id: str) -> int:
    beat = read_beat(get_run(run_id).data.tags.get(HEARTBEAT))
    return -1 if beat is None else beat.time


def wait_for_more(run_id: str, than: int) -> int:
    deadline = time.monotonic() + 60
    while (now := last_beat(run_id)) <= than:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return now


@pytest.mark.usefixtures("store")
def test_it_beats_at_once_between_epochs_and_never_after_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.02)
    run = start_run(TrainConfig())
    with closing(run):
        first = wait_for_more(run.id, -1)
        wait_for_more(run.id, first)
        said = json.loads(get_run(run.id).data.tags[HEARTBEAT])
        assert (said["host"], said["pid"]) == (socket.gethostname(), os.getpid())
    ended = last_beat(run.id)
    assert ended <= get_run(run.id).info.end_time
    time.sleep(0.2)
    assert last_beat(run.id) == ended
    assert not [thread for thread in threading.enumerate() if "_go_on" in thread.name]


@pytest.mark.usefixtures("store")
def test_an_epoch_is_a_heartbeat() -> None:
    run = start_run(TrainConfig())
    begun = last_beat(run.id)
    # There from the beginning: were it the first of its tag, an epoch could meet another thread's.
    assert begun > 0
    time.sleep(0.005)
    run.log_epoch(1, {"val/dice": 0.5})
    first = last_beat(run.id)
    assert first > begun
    time.sleep(0.005)
    run.log_epoch(2, {"val/dice": 0.5})
    assert last_beat(run.id) > first


def test_a_store_that_takes_none_ends_nothing_and_is_told_of_once(
    store: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.001)
    tries: list[str] = []

    def refuse(run_id: str, key: str, value: str) -> None:
        tries.append(run_id)
        raise MlflowException("database is locked\nand more")

    monkeypatch.setattr(client(), "set_tag", refuse)
    with caplog.at_level(logging.WARNING), Beating("some-run"):
        deadline = time.monotonic() + 60
        while len(tries) < 5:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    told = [record.getMessage() for record in caplog.records]
    assert told == ["heartbeat: the store does not take it: database is locked"]


@pytest.mark.usefixtures("store")
def test_a_run_that_is_reopened_is_alive_before_it_is_running() -> None:
    run = start_run(TrainConfig())
    run.finish("failed")
    run.reopen()
    record = get_run(run.id)
    assert record.info.status == "RUNNING"
    assert time.time() * 1000 - last_beat(run.id) < 60_000


@pytest.mark.usefixtures("store")
def test_a_server_that_is_silent_is_passed_on_without_a_word(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def silent(uri: str) -> None:
        raise Unreachable("silent")

    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.001)
    monkeypatch.setattr(heartbeat, "check_answers", silent)
    heard = threading.Event()
    with Beating("some-run", on_silence=heard.set):
        assert heard.wait(60)
    assert not caplog.records

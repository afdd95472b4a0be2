"""The cache on a real store: reads once what is finished, follows what is not."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Metric

from dashboard.store import cache
from dashboard.store.cache import StoreCache
from trainer.tracking import curating, reading
from trainer.tracking.standing import UNFINISHED, run_lock


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "FRESH_SECONDS", 0.0)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Record which runs' histories are read."""
    read: list[list[str]] = []
    original = reading.histories

    def counted(run_ids, metrics, **options):  # type: ignore[no-untyped-def]
        read.append(list(run_ids))
        return original(run_ids, metrics, **options)

    monkeypatch.setattr(cache.reading, "histories", counted)
    return read


def test_a_finished_runs_history_is_read_once(
    own_store: str, run_named: Callable[[str], str], reads: list[list[str]]
) -> None:
    cache, run_id = StoreCache(own_store), run_named("collapsed")
    first = cache.curves([run_id], "val/dice")[run_id]
    second = cache.curves([run_id], "val/dice")[run_id]
    assert first is second
    assert first.steps.tolist() == list(range(1, 13))
    assert reads == [[run_id]]


def test_a_running_runs_new_epoch_appears(
    own_store: str, run_named: Callable[[str], str], reads: list[list[str]]
) -> None:
    cache, run_id = StoreCache(own_store), run_named("still training")
    before = cache.curves([run_id], "val/dice")[run_id]
    now = int(time.time() * 1000)
    MlflowClient(own_store).log_batch(run_id, [Metric("val/dice", 0.5, now, 10)])
    after = cache.curves([run_id], "val/dice")[run_id]
    assert after.steps.tolist() == [*before.steps.tolist(), 10]
    assert after.values[-1] == 0.5
    assert cache.runs().loc[run_id, "last_step"] == 10


def test_an_epoch_logged_again_replaces_the_old_one(
    own_store: str, run_named: Callable[[str], str]
) -> None:
    cache, run_id = StoreCache(own_store), run_named("still training")
    cache.curves([run_id], "val/dice")
    now = int(time.time() * 1000)
    MlflowClient(own_store).log_batch(run_id, [Metric("val/dice", 0.25, now, 3)])
    found = cache.curves([run_id], "val/dice")[run_id]
    assert found.values[found.steps == 3].tolist() == [0.25]
    assert len(found.steps) == 9


def test_a_run_that_ended_and_was_resumed_is_read_again(
    own_store: str, run_named: Callable[[str], str]
) -> None:
    client, run_id = MlflowClient(own_store), run_named("still training")
    cache = StoreCache(own_store)
    client.set_terminated(run_id, "KILLED")
    assert cache.curves([run_id], "val/dice")[run_id].steps[-1] == 9
    client.update_run(run_id, status="RUNNING")
    client.log_batch(run_id, [Metric("val/dice", 0.5, int(time.time() * 1000), 10)])
    cache.refresh([run_id])
    assert cache.curves([run_id], "val/dice")[run_id].steps[-1] == 10


def test_the_table_is_only_new_when_something_changed(own_store: str) -> None:
    cache = StoreCache(own_store)
    cache.runs()
    generation = cache.generation
    cache.runs()
    assert cache.generation == generation
    run = MlflowClient(own_store).create_run("1", run_name="fresh")
    assert run.info.run_id in cache.runs().index
    assert cache.generation == generation + 1


def test_a_run_dies_in_the_table_without_a_word_of_the_store(
    own_store: str,
) -> None:
    run_id = MlflowClient(own_store).create_run("1", run_name="fresh").info.run_id
    lock = FileLock(run_lock(run_id, own_store))
    Path(lock.lock_file).parent.mkdir(exist_ok=True)
    cache = StoreCache(own_store)
    with lock:
        assert cache.runs().loc[run_id, "state"] == "running"
        generation = cache.generation
    Path(lock.lock_file).touch()
    assert cache.runs().loc[run_id, "state"] == "dead"
    assert cache.generation == generation + 1


class Slow:
    """A store whose runs come in two parts, the second when it is let through."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.let_through = threading.Event()
        self.fails = False
        monkeypatch.setattr(cache.reading, "run_pages", self.pages)

    def pages(self, uri: str) -> Iterator[tuple[pd.DataFrame, bool]]:
        whole = reading.list_runs(uri)
        yield whole.iloc[:3], False
        assert self.let_through.wait(10)
        if self.fails:
            raise ValueError("store: gone")
        yield whole.iloc[2:], True

    def wait_for(self, done: Callable[[], bool]) -> None:
        self.let_through.set()
        for _ in range(200):
            if done():
                return
            time.sleep(0.02)
        raise AssertionError("the rest never came")


def test_the_newest_runs_of_a_slow_store_come_first(
    own_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, slow, cache = reading.list_runs(own_store), Slow(monkeypatch), StoreCache(own_store)
    oldest = whole.index[-1]
    first = set(whole.index[:3]) | set(whole.index[whole["status"].isin(UNFINISHED)])
    assert set(cache.runs().index) == set(whole.index[:3])
    # A second look completes what changed since, and what an address asks for comes at once.
    assert set(cache.runs().index) == first
    assert not cache.complete
    assert oldest not in first
    assert oldest in cache.runs([oldest, "0" * 32]).index
    generation = cache.generation
    slow.wait_for(lambda: cache.complete)
    assert cache.generation > generation
    assert list(cache.runs().index) == list(whole.index)


def test_a_slow_store_that_breaks_off_is_read_again(
    own_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, cache = Slow(monkeypatch), StoreCache(own_store)
    slow.fails = True
    cache.runs()
    slow.wait_for(lambda: cache._runs is None)
    slow.fails = False
    cache.runs()
    slow.wait_for(lambda: cache.complete)
    assert len(cache.runs()) == len(reading.list_runs(own_store))


def test_what_we_write_shows_at_once(own_store: str, run_named: Callable[[str], str]) -> None:
    cache, run_id = StoreCache(own_store), run_named("collapsed")
    cache.runs()
    curating.archive([run_id])
    cache.refresh([run_id])
    assert cache.runs().loc[run_id, "archived"]
    curating.restore([run_id])
    curating.set_note(run_id, "seen")
    curating.tag_runs([run_id], "verdict", "no")
    cache.refresh([run_id])
    row = cache.runs().loc[run_id]
    assert not row["archived"]
    assert (row["note"], row["tags.verdict"]) == ("seen", "no")


@pytest.mark.parametrize("name", ["", "  ", "x" * 251, "segscope.outcome", "mlflow.runName"])
def test_a_tag_of_the_trainers_own_is_refused(full_store: str, name: str) -> None:
    with pytest.raises(ValueError, match="tag: "):
        curating.tag_runs(["any"], name, "1")


def test_a_metric_that_nobody_logged_has_empty_curves(full_store: str) -> None:
    cache = StoreCache(full_store)
    found = cache.curves(list(cache.runs().index), "no/such")
    assert all(curve.steps.size == 0 for curve in found.values())

"""Of what a run logged twice the later value counts, though its clock was set back."""

import math
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainer.analysis.history import newest
from trainer.config import TrainConfig
from trainer.tracking import Run, get_run, reopen_run, start_run
from trainer.tracking.client import client
from trainer.tracking.reading import chosen_runs, histories

HOUR = 3600.0
KEY = "val/dice"
real = time.time


@pytest.fixture
def shift(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return what sets the clock of this process to so many seconds from now."""
    return lambda seconds: monkeypatch.setattr(time, "time", lambda: real() + seconds)


def in_force(run_id: str) -> dict[int, float]:
    """Return the value of each epoch that all readers take."""
    logged = client().get_metric_history(run_id, KEY)
    by_time = {m.step: m.value for m in sorted(logged, key=lambda m: m.timestamp)}
    rows = histories([run_id], [KEY])
    steps, values = newest(rows["step"], rows["value"])
    assert dict(zip(steps.tolist(), values.tolist(), strict=True)) == by_time
    last = by_time[max(by_time)]
    assert get_run(run_id).data.metrics[KEY] == last
    assert chosen_runs([run_id]).loc[run_id, f"metrics.{KEY}"] == last
    return by_time


def check_times(run: Run) -> None:
    """Fail the test where a time of a run lies before an earlier one."""
    info = get_run(run.id).info
    times = [m.timestamp for m in client().get_metric_history(run.id, KEY)]
    assert len(times) == len(set(times))
    assert info.start_time < min(times) and max(times) < info.end_time


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([-HOUR, -1.0, 0.0, HOUR]), min_size=2, max_size=5))
def test_the_value_logged_last_counts_wherever_the_clock_jumps(
    store: Path, shift: Callable[[float], None], jumps: list[float]
) -> None:
    shift(0)
    run = start_run(TrainConfig())
    for number, jump in enumerate(jumps):
        shift(jump)
        # Smaller each time: of two values of one time MLflow takes the larger one.
        run.log_epoch(1, {KEY: 1 / (number + 1)})
        assert in_force(run.id) == {1: 1 / (number + 1)}
    run.finish("completed")
    check_times(run)


@pytest.mark.parametrize("ended", [True, False], ids=["interrupted", "killed"])
def test_a_run_that_goes_on_with_its_clock_set_back_is_read_as_it_went_on(
    store: Path, shift: Callable[[float], None], ended: bool
) -> None:
    run = start_run(TrainConfig())
    for epoch in (1, 2):
        run.log_epoch(epoch, {KEY: 0.9})
    if ended:
        run.finish("interrupted")
    shift(-HOUR)
    again, _ = reopen_run(run.id)
    again.reopen()
    for epoch in (2, 3):
        again.log_epoch(epoch, {KEY: 0.5})
        assert in_force(run.id) == {1: 0.9} | dict.fromkeys(range(2, epoch + 1), 0.5)
    again.log_epoch(3, {KEY: math.nan, "best/val_dice": 0.5})
    again.finish("completed")
    check_times(again)


def test_what_waits_of_a_run_is_older_than_what_follows(
    store: Path, shift: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start_run(TrainConfig())
    with monkeypatch.context() as away:
        # Killed with the record on its disk alone.
        away.setattr(run.sending, "put", run.sending.outbox.put)
        run.log_epoch(1, {KEY: 0.9})
    shift(-HOUR)
    again, _ = reopen_run(run.id)
    again.reopen()
    again.log_epoch(1, {KEY: 0.5})
    assert in_force(run.id) == {1: 0.5}

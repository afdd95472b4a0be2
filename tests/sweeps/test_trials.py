"""How long a sweep takes yet, from the table of its trials alone."""

import pandas as pd
import pytest

from sweeps.trials import COMPLETE, CUT_SHORT, PRUNED, RUNNING, SweepRead


def standing(trials: list[tuple[str, float | None]], total: int | None = 10) -> SweepRead:
    """Return a sweep of trials by their state and seconds."""
    began = pd.Timestamp("2026-01-01", tz="UTC")
    seconds = pd.to_timedelta([s if s is not None else float("nan") for _, s in trials], unit="s")
    table = pd.DataFrame({"state": [state for state, _ in trials], "started": began})
    table["ended"] = table["started"] + seconds
    about = {"name": "s", "metric": "val/dice", "seeds": 1, "epochs": 1, "description": ""}
    whose = {"sampler": "tpe", "pruner": "none", "parent_run_id": None, "from_study": True}
    return SweepRead(**about, **whose, total=total, parameters=(), trials=table)  # type: ignore[arg-type]


@pytest.mark.parametrize(("beside", "left"), [(1, 8 * 20.0), (2, 4 * 20.0)])
def test_what_is_left_takes_as_long_as_what_has_ended(beside: int, left: float) -> None:
    cut, going = (CUT_SHORT, 5.0), (RUNNING, None)
    found = standing([(COMPLETE, 30.0), cut, (PRUNED, 10.0), going])
    assert found.seconds_left(beside) == pytest.approx(left)


def test_before_a_trial_has_ended_or_without_an_end_nothing_is_known() -> None:
    assert standing([(RUNNING, None)]).seconds_left(1) is None
    assert standing([(COMPLETE, 3.0)], total=None).seconds_left(1) is None


def test_more_trials_than_were_asked_for_leave_nothing() -> None:
    assert standing([(COMPLETE, 3.0)] * 12).seconds_left(1) == 0

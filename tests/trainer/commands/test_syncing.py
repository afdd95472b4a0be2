"""``trainer sync``: what it tells of each run, and how it exits."""

import json

import pytest
from mlflow.exceptions import MlflowException

from trainer.commands.syncing import sync
from trainer.config import TrainConfig
from trainer.tracking import start_run
from trainer.tracking.client import client
from trainer.tracking.outbox import Outbox
from trainer.tracking.runs import summaries

pytestmark = pytest.mark.usefixtures("store")
Captured = pytest.CaptureFixture[str]


def left(*values: float) -> str:
    run = start_run(TrainConfig())
    Outbox(run.id).put(*(one for v in values for one in summaries({"val/dice": v}, 1)))
    return run.id


def test_nothing_waits(capsys: Captured) -> None:
    assert sync([]) == 0
    assert capsys.readouterr().out == "nothing waits to be sent\n"


def test_the_runs_that_are_named_are_sent_and_then_all(capsys: Captured) -> None:
    first, second = left(0.1, 0.2), left(0.3)
    nothing = "0" * 32
    assert sync([first[:8], nothing]) == 0
    expected = {f"{first}  2 records sent", f"{nothing}  0 records sent"}
    assert set(capsys.readouterr().out.splitlines()) == expected
    assert sync(["--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"run_id": second, "sent": 1, "left": 0, "why": None}
    ]
    assert [m.value for m in client().get_metric_history(first, "val/dice")] == [0.1, 0.2]


def test_what_is_no_run_is_refused() -> None:
    with pytest.raises(ValueError, match=r"there is no run '../elsewhere' in this store"):
        sync(["../elsewhere"])


def test_what_the_store_does_not_take_is_told_and_stays(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = left(0.1)

    def refuse(*_: object, **__: object) -> None:
        raise MlflowException("no\nmore")

    monkeypatch.setattr(client(), "log_batch", refuse)
    assert sync([]) == 1
    why = "0 records sent, 1 left: the store does not take it: no"
    assert capsys.readouterr().out == f"{run_id}  {why}\n"
    assert len(Outbox(run_id)) == 1

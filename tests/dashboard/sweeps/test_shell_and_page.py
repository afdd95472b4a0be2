"""The command and the page are asked the same of a study in which every state occurs."""

import json
import socket
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from streamlit.testing.v1 import AppTest

from sweeps import attributes, cli, reading
from sweeps.claims import give_back
from sweeps.presence import UNSIGNED, Presence, present, worker_lock
from sweeps.samplers import distributions
from sweeps.spec_reading import from_plain
from sweeps.study import Sweep, create

Open = Callable[..., AppTest]
SPACE = {"lr": {"low": 1e-5, "high": 1e-1, "log": True}, "batch_size": [4, 8, 16]}
COUNTED = "1 pruned, 1 failed, 3 running, 3 stopped, 1 cut short, 1 waiting"


def begin(sweep: Sweep, *, lr: float = 1e-3, worker: Presence | None = None) -> optuna.Trial:
    """Begin a trial; without a worker it stays unsigned."""
    sweep.study.enqueue_trial({"lr": lr, "batch_size": 8})
    trial = sweep.study.ask(distributions(sweep.spec))
    if worker is not None:
        trial.set_user_attr(attributes.WORKER, worker.to_json())
    return trial


def complete(sweep: Sweep, number: int) -> None:
    """Add trials whose score their learning rate decides; the best comes several times."""
    for place in range(number):
        exponent = -5 + 4 * place / (number - 1)
        trial = begin(sweep, lr=10**exponent)
        score = 0.9 - 0.1 * max(abs(exponent + 3), 0.7)
        for key, value in {"run_id": f"{place:032}", "epochs": 3, "epochs_saved": 1}.items():
            trial.set_user_attr(key, value)
        sweep.study.tell(trial, score)


def fill(sweep: Sweep, living: Presence) -> None:
    """Add a trial in every other state; of running ones those that are, and those left behind."""
    pruned = begin(sweep, lr=1e-5, worker=living)
    pruned.report(0.4, 1)
    pruned.set_user_attr(attributes.SAVED, 3)
    sweep.study.tell(pruned, state=TrialState.PRUNED)
    sweep.study.tell(begin(sweep), state=TrialState.FAIL)
    cut = begin(sweep, worker=living)
    cut.report(0.5, 2)
    give_back(sweep, sweep.study.trials[cut.number], "interrupted")
    sweep.study.ask(distributions(sweep.spec))  # The setting that waits: unsigned so far.
    begin(sweep, worker=living).report(0.3, 2)
    begin(sweep, worker=Presence(id="far", host="elsewhere", pid=1))
    begin(sweep, worker=Presence(id="killed", host=socket.gethostname(), pid=living.pid))
    worker_lock("killed").touch()  # As kill -9 leaves it: there, and held by nobody.
    begin(sweep, worker=Presence(id="gone", host=socket.gethostname(), pid=living.pid))
    unsigned = optuna.trial.create_trial(state=TrialState.RUNNING)
    unsigned.datetime_start = datetime.now() - UNSIGNED - timedelta(seconds=1)
    sweep.study.add_trial(unsigned)
    sweep.study.enqueue_trial({"lr": 1e-2, "batch_size": 4})


@pytest.fixture(params=[("journal", 7), ("sqlite", 21)], ids=lambda kind: kind[0])
def made(
    request: pytest.FixtureRequest, store: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[int, list[str]]]:
    """Return how many complete trials a sweep has, and the flags that lead to it."""
    kind, number = request.param
    url = None if kind == "journal" else f"sqlite:///{store}/study.db"
    plain = {"name": "hunt", "space": SPACE, "trials": 40, "epochs": 4}
    sweep = create(from_plain(plain), url)
    if url is not None:
        monkeypatch.setenv(reading.STORAGE, url)
    complete(sweep, number)
    with present() as living:
        fill(sweep, living)
        yield number, [] if url is None else ["--storage", url]


@pytest.fixture
def told(
    made: tuple[int, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., str]:
    """Return what asks the command about the sweep and returns what it printed."""

    def ask(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["sweeps", words[0], "hunt", *words[1:], *made[1]])
        capsys.readouterr()
        assert cli.main() == 0
        return capsys.readouterr().out

    return ask


def test_counts_and_best(
    made: tuple[int, list[str]], one_run: str, told: Callable[..., str], open_app: Open
) -> None:
    number, _ = made
    app = open_app("sweeps", sweep="hunt")
    counted = f"{number} complete, {COUNTED}"
    heads = [str(getattr(bar.proto, "text", "")) for bar in app.get("progress")]
    assert heads[0] == f"{number + 2} of 40 trials: {counted}"
    assert f"{number + 2}/40 trials ({counted})" in told("status")
    assert f"{number + 2} of 40 trials: {counted}; " in told("report")
    best = json.loads(told("best", "--json"))
    metrics = {metric.label: metric.value for metric in app.metric}
    where = next(label for label in metrics if label.startswith("Best score"))
    assert metrics[where] == f"{best['best']['value']:.4f}" == "0.8300"
    assert int(best["best"]["run_id"]) == int(where.rpartition(" ")[2]) == {7: 2, 21: 7}[number]
    assert metrics["Epochs trained"] == str(best["epochs_trained"]) == str(3 * number + 5)
    assert best["epochs_saved"] == number + 3


def test_states(one_run: str, told: Callable[..., str], open_app: Open) -> None:
    table = open_app("sweeps", sweep="hunt", sweep_part="Trials").dataframe[0].value
    shown = dict(zip(table["number"], table["state"], strict=True))
    said = json.loads(told("report", "--json"))
    assert {row["number"]: row["state"] for row in said["rows"]} == shown
    assert said["states"] == json.loads(told("status", "--json"))["states"]
    written = [line.split(" | ") for line in told("report").splitlines() if line[:3] != "| F"]
    cells = {int(c[0][2:]): c[1] for c in written if c[0][2:].isdigit()}
    assert cells == shown


def test_importance(
    made: tuple[int, list[str]], one_run: str, told: Callable[..., str], open_app: Open
) -> None:
    app = open_app("sweeps", sweep="hunt", sweep_part="Importance")
    figure: Any = json.loads(app.get("plotly_chart")[0].proto.spec)
    (bars,) = [bar for bar in figure["data"] if bar["name"] == "for val/dice"]
    said = json.loads(told("report", "--json"))["importance"]
    assert said["evaluator"] == ("fANOVA" if made[0] < 20 else "PED-ANOVA")
    assert figure["layout"]["xaxis"]["title"]["text"] == f"importance ({said['evaluator']})"
    assert dict(zip(bars["y"], bars["text"], strict=True)) == {
        field: f"{share:.2f}" for field, share in said["fields"].items()
    }
    assert f"Importance ({said['evaluator']}, n = {made[0]})" in told("report")

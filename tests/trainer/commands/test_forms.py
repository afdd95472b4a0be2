"""Every command that prints a result knows ``--json``, and each of results every other form."""

import io
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from sweeps.cli import COMMANDS as SWEEPS
from sweeps.cli import main as sweeps_main
from tests.test_old_store import RUNS, copied
from trainer.cli import COMMANDS as TRAINER
from trainer.cli import main as trainer_main
from trainer.tracking.naming import run_named

Told = Callable[..., str]
RESULTS = {
    "trainer runs": "--limit 0",
    "trainer evaluate": RUNS["seed 0"],
    "trainer compare": f"{RUNS['seed 0']} {RUNS['momentum']} --resamples 100",
    "trainer stability": f"{RUNS['seed 0']} {RUNS['momentum']}",
    "sweeps report": "rates",
}


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(tmp_path_factory.mktemp("old") / "store")


@pytest.fixture
def told(old: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Told:
    """Return what calls a command on the store of an earlier version, and returns its output."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{old}/mlruns/mlflow.db")
    monkeypatch.chdir(old)

    def call(*words: str, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", list(words))
        assert {"trainer": trainer_main, "sweeps": sweeps_main}[words[0]]() == code
        said = capsys.readouterr()
        return said.err if code else said.out

    return call


@pytest.mark.parametrize(
    "command",
    [*(f"trainer {name}" for name in TRAINER), *(f"sweeps {name}" for name in SWEEPS)],
)
def test_every_command_knows_json(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    program, name = command.split()
    with pytest.raises(SystemExit) as stop:
        {"trainer": TRAINER, "sweeps": SWEEPS}[program][name](["--help"])
    assert not stop.value.code
    said = capsys.readouterr().out
    assert "--json" in said
    assert ("--format" in said) == (command in RESULTS)


@pytest.mark.parametrize("command", ["trainer recipes", "sweeps presets"])
def test_a_list_is_json_too(command: str, told: Told) -> None:
    assert json.loads(told(*command.split(), "--json"))


@pytest.mark.parametrize("command", RESULTS)
def test_json_is_short_for_its_format(command: str, told: Told) -> None:
    words = (*command.split(), *RESULTS[command].split())
    first, second = (json.loads(told(*words, *how)) for how in (["--json"], ["--format", "json"]))
    if command != "trainer runs":  # whose seconds go on
        assert first == second


@pytest.mark.parametrize("command", RESULTS)
def test_each_form_holds_the_same_rows(command: str, told: Told) -> None:
    words = (*command.split(), *RESULTS[command].split())
    texts = {form: told(*words, "--format", form) for form in ("table", "csv", "markdown", "latex")}
    read = pd.read_csv(io.StringIO(texts["csv"]), index_col=0, comment="#")
    assert len(read)
    if command != "sweeps report":  # which is a whole document in Markdown
        marked = [line for line in texts["markdown"].splitlines() if line.startswith("| ")]
        turned = command == "trainer stability"
        assert len(marked) - 2 == (len(read.columns) if turned else len(read))
    latex = texts["latex"].split("\n")
    assert latex[0].startswith(r"\begin{tabular}") and r"\end{tabular}" in latex
    remarks = {
        form: [line for line in texts[form].split("\n") if line.startswith(mark)]
        for form, mark in (("csv", "# "), ("latex", "% "))
    }
    assert [r[2:] for r in remarks["csv"]] == [r[2:] for r in remarks["latex"]]
    if command in ("trainer compare", "sweeps report"):
        assert remarks["csv"]


def test_the_verdict_stands_beneath_its_numbers(told: Told) -> None:
    words = ("trainer", "compare", *RESULTS["trainer compare"].split())
    seen = told(*words)
    verdict = seen.splitlines()[0]
    assert f"# {verdict}\n" in told(*words, "--format", "csv")
    assert f"% {verdict}\n" in told(*words, "--format", "latex")
    (pair,) = json.loads(told(*words, "--json"))
    row = pd.read_csv(io.StringIO(told(*words, "--format", "csv")), comment="#").iloc[0]
    assert abs(row["A less B"]) == pytest.approx(
        abs(pair["differences"]["dice"]["interval"]["value"])
    )


def test_numbers_are_in_full_for_programs_and_counts_are_whole(told: Told) -> None:
    words = ("trainer", "stability", *RESULTS["trainer stability"].split())
    rows = json.loads(told(*words, "--json"))
    read = pd.read_csv(io.StringIO(told(*words, "--format", "csv")))
    assert read["run_id"].tolist() == [row["run_id"] for row in rows]
    for key in ("max_drawdown", "dips", "longest_recovery"):
        assert read[key].tolist() == [row[f"stability/{key}"] for row in rows]
    seen = dict(line.split()[:2] for line in told(*words).splitlines()[1:])
    assert seen["dips"].isdecimal() and seen["run_id"] == rows[0]["run_id"][:8]
    words = ("trainer", "runs", "--limit", "0")
    listed = pd.read_csv(io.StringIO(told(*words, "--format", "csv")), index_col="Run")["Best"]
    best = {row["run_id"]: row["best"] for row in json.loads(told(*words, "--json"))}
    assert {run_id: None if math.isnan(b) else b for run_id, b in listed.items()} == best


def test_every_short_id_that_is_printed_is_taken(told: Told) -> None:
    ids = [line.split()[0] for line in told("trainer", "runs", "--limit", "0").splitlines()[1:]]
    assert len(ids) >= 5
    assert {run_named(short) for short in ids} <= set(RUNS.values())
    (first, second) = (run_id[:8] for run_id in RESULTS["trainer stability"].split())
    assert "epoch" in told("trainer", "compare", first, second, "--resamples", "100")
    assert "there is no run" in told("trainer", "stability", "zzzz", code=2)

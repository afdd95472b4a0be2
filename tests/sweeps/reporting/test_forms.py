"""A sweep's tables in each form, against what the store holds."""

import io
import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweeps import cli
from sweeps.reporting.facts import Facts
from sweeps.reporting.forms import in_text
from sweeps.reporting.tables import TABLES
from trainer.tracking import get_run
from trainer.tracking.reading import histories


def read(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), index_col=0, comment="#")


def test_configuration_by_metric_is_what_the_runs_logged(facts: Facts) -> None:
    table = read(in_text(facts, "csv", None))
    assert list(table.index) == ["lr 0.03", "lr 1e-06"]
    for configuration in facts.configurations:
        row = table.loc[configuration.label]
        logged = [get_run(run_id).data.metrics for run_id in configuration.run_ids]
        best = np.array([metrics["best/val_dice"] for metrics in logged])
        assert row["Seeds"] == len(logged) == 2
        assert row["Validation Dice"] == pytest.approx(best.mean())
        assert row["Validation Dice, SD"] == pytest.approx(best.std(ddof=1))
        assert row["Parameters"] == logged[0]["model/parameters"]
        times = histories(configuration.run_ids, ["time/epoch_seconds"])
        total = times.groupby("run_id", observed=True)["value"].sum()
        assert row["Train time [s]"] == pytest.approx(total.mean())
        assert row["Predict time [ms/image]"] > 0


def test_epoch_by_configuration_is_each_epochs_mean_over_seeds(facts: Facts) -> None:
    table = read(in_text(facts, "csv", "epochs"))
    assert list(table.index) == list(range(1, 9))
    for configuration in facts.configurations:
        logged = histories(configuration.run_ids, ["val/dice"])
        mean = logged.groupby("step")["value"].mean()
        assert table[configuration.label].to_numpy() == pytest.approx(mean.to_numpy())


def test_the_table_of_verdicts_has_the_numbers_of_the_verdict(facts: Facts) -> None:
    (pair,) = facts.pairs
    row = read(in_text(facts, "csv", "verdicts")).iloc[0]
    assert row["A less B"] == pytest.approx(pair.interval.value)
    assert row["p (Holm over 1)"] == pytest.approx(pair.adjusted_p_value)
    assert pair.verdict == row["Verdict"]


@pytest.mark.parametrize("name", TABLES)
def test_latex_is_a_tabular_of_booktabs(facts: Facts, name: str) -> None:
    text = in_text(facts, "latex", name)
    lines = text.partition("\n% ")[0].split("\n")
    assert lines[0].startswith(r"\begin{tabular}") and lines[-1] == r"\end{tabular}"
    assert [rule for rule in (r"\toprule", r"\midrule", r"\bottomrule") if rule in lines]
    columns = lines[0].count("r", lines[0].index("}{"))
    rows = [line for line in lines if line.endswith(r" \\")]
    assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {columns}
    assert ("±" not in "\n".join(lines)) and (r"$\pm$" in text or name == "verdicts")


def test_the_markdown_holds_every_table_and_says_what_may_be_concluded(facts: Facts) -> None:
    text = in_text(facts, "markdown", None)
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    assert headings[1:5] == [
        "What may be concluded",
        "What may not",
        "Configurations",
        "Score per epoch",
    ]
    assert r"\<script>" in text and "<script>" not in text.replace(r"\<script>", "")
    assert in_text(facts, "markdown", "epochs").partition("\n\n")[0] in text


@pytest.mark.parametrize(("form", "mark"), [("csv", "# "), ("latex", "% "), ("markdown", "- ")])
def test_beneath_a_table_stands_what_was_best_and_what_may_be_concluded(
    facts: Facts, form: str, mark: str
) -> None:
    told = [line for line in in_text(facts, form, "verdicts").split("\n") if line.startswith(mark)]
    assert told[0].startswith(f"{mark}Best: ")
    (pair,) = facts.pairs
    assert told[1] == f"{mark}{pair.sentence}." or not pair.distinguishable
    assert len(told) == 2


def test_the_command_writes_each_form(
    in_store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def told(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["sweeps", "report", "rates", *words])
        assert cli.main() == 0
        return capsys.readouterr().out

    assert told("--format", "csv").startswith("Configuration,Seeds,Validation Dice,")
    assert told("--format", "latex", "--table", "epochs").startswith(r"\begin{tabular}")
    assert told("--table", "verdicts").startswith("| A |")
    seen = told("--format", "table", "--table", "epochs")
    assert seen.split()[:3] == ["Epoch", "lr", "0.03"] and "\nBest: " in seen
    assert told("--json") == told("--format", "json")
    written = json.loads(told("--json"))
    assert [row["Configuration"] for row in written["configurations"]] == ["lr 0.03", "lr 1e-06"]
    assert len(written["verdicts"]) == 1 and len(written["epochs"]) == 8
    assert told("--html", str(tmp_path / "report.html")) == ""
    assert (tmp_path / "report.html").read_text("utf-8").startswith("<!DOCTYPE html>")


def test_a_page_that_cannot_be_written_is_one_line(
    in_store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["sweeps", "report", "rates", "--html", str(tmp_path)])
    assert cli.main() == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert f"html: {tmp_path} cannot be written" in line
    assert list(tmp_path.iterdir()) == []

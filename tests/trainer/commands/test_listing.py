"""``trainer runs``: what it lists, in which order, and what it leaves out."""

import json
from pathlib import Path
from typing import Any

import pytest

from trainer.commands.listing import runs
from trainer.config import TrainConfig
from trainer.tracking import start_parent, start_run
from trainer.tracking.curating import archive


@pytest.fixture
def three(store: Path) -> dict[str, str]:
    """Return the ids of a completed run, one that goes on, and another program's."""
    done = start_run(TrainConfig(epochs=2, lr=0.1, run_name="done"))
    done.log_epoch(2, {"val/dice": 0.75, "best/val_dice": 0.8, "time/epoch_seconds": 3.0})
    done.finish("completed")
    going = start_run(TrainConfig(epochs=10, run_name="going", experiment="other"))
    going.log_epoch(4, {"val/dice": 0.5, "time/epoch_seconds": 30.0})
    odd = start_parent("\x1b[31m[red]odd[/red]\n", experiment="other", params={"epochs": "many"})
    return {"done": done.id, "going": going.id, "odd": odd}


def listed(capsys: pytest.CaptureFixture[str], *flags: str) -> list[dict[str, Any]]:
    assert runs(["--json", *flags]) == 0
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return rows


def test_a_row_says_how_a_run_stands(
    three: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    odd, going, done = listed(capsys)
    assert [row["run_id"] for row in (odd, going, done)] == [
        three[name] for name in ("odd", "going", "done")
    ]
    assert (done["state"], done["epoch"], done["epochs"]) == ("completed", 2, 2)
    assert (done["headline"], done["best"], done["seconds_left"]) == ("val/dice", 0.8, None)
    assert (going["state"], going["epoch"], going["epochs"]) == ("running", 4, 10)
    assert (going["best"], going["seconds_left"]) == (0.5, 180.0)
    assert (odd["state"], odd["epochs"], odd["best"]) == ("running", None, None)


def test_the_table_obeys_nothing_in_a_name(
    three: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert runs([]) == 0
    said = capsys.readouterr().out
    heading, odd, going, done = said.splitlines()
    assert heading.split() == ["Run", "Name", "State", "Epoch", "Best", "Time", "Experiment"]
    assert "\x1b" not in said and "�[31m[red]odd[/red]�" in odd
    assert going.startswith(three["going"][:8])
    assert "4/10" in going and "0.5000 val/dice" in going and "3 min 00 s left" in going
    assert "2/2" in done and "0.8000 val/dice" in done


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (["--limit", "1"], ["odd"]),
        (["--limit", "0"], ["odd", "going", "done"]),
        (["--experiment", "segscope"], ["done"]),
        (["--filter", "params.lr = '0.1'"], ["done"]),
        (["--filter", "attributes.status = 'RUNNING' and metrics.`val/dice` > 0.4"], ["going"]),
        (["--filter", "params.lr = '7'"], []),
    ],
)
def test_flags_choose(
    flags: list[str], names: list[str], three: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert [row["run_id"] for row in listed(capsys, *flags)] == [three[name] for name in names]


def test_what_is_left_out_is_told(
    three: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    runs(["--limit", "1"])
    assert capsys.readouterr().err == "2 older runs not listed; --limit 0 lists all\n"
    runs(["--filter", "params.lr = '7'"])
    assert capsys.readouterr().out == "no run matches\n"
    archive([three["odd"]])
    assert len(listed(capsys)) == 2


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--limit", "-1"], "limit: -1 must be at least 0"),
        (["--experiment", "othr"], "did you mean 'other'"),
        (["--filter", "lr ="], "filter: "),
    ],
)
def test_a_mistake_is_one_line(flags: list[str], words: str, three: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=words):
        runs(flags)


def test_an_empty_store_has_none(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert runs([]) == 0
    assert capsys.readouterr().out == "no runs here yet\n"

"""``trainer models``."""

import json
from pathlib import Path
from typing import Any

import pytest

from trainer.commands.architectures import models
from trainer.models import MODELS
from trainer.tracking import start_parent
from trainer.tracking.client import client
from trainer.tracking.models import find_model, set_alias


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, dict[str, Any]]:
    """Return what the command prints as JSON, by the architectures' names."""
    assert models([*words, "--json"]) == 0
    return {row["name"]: row for row in json.loads(capsys.readouterr().out)}


def test_every_architecture_is_listed_with_what_it_costs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = listed(capsys, "--num-classes", "21")
    assert list(rows) == list(MODELS)
    assert rows["unet-medium"]["trainable"] == 7_702_485
    assert (rows["fcn"]["trainable"], rows["fcn"]["buffers"]) == (34_397_525, 0)
    for name, row in rows.items():
        assert list(row["settings"]) == list(MODELS[name].settings.names())
        assert row["description"] == MODELS[name].about and row["flops"] > 1e9


def test_a_setting_counts_where_it_is_had(capsys: pytest.CaptureFixture[str]) -> None:
    plain, changed = listed(capsys), listed(capsys, "--depth", "3", "--model", "resunet")
    assert changed["resunet"]["trainable"] < plain["resunet"]["trainable"]
    grey = listed(capsys, "--channels", "1", "--kernel-size", "5", "--loss", "cross-entropy")
    assert (grey["fcn"]["in_channels"], grey["fcn"]["out_channels"]) == (1, 2)
    assert grey["unet"]["settings"]["kernel_size"] == 5


def test_an_image_of_the_papers_size_costs_what_counting_by_hand_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (row,) = listed(capsys, "--model", "unet", "--base-channels", "64").values()
    # 28.22 G multiplications with their additions, at 240 x 160.
    assert row["flops"] == pytest.approx(56.45e9, rel=1e-3)
    larger = listed(
        capsys, "--model", "unet", "--base-channels", "64", "--image-size", "320", "480"
    )
    assert larger["unet"]["flops"] == 4 * row["flops"]


def test_the_table_fits_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert models([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(MODELS) + 2
    assert all(name in line for name, line in zip(MODELS, lines[1:], strict=False))


@pytest.mark.parametrize("number", ["1", "256"])
def test_a_number_of_classes_that_cannot_be(number: str) -> None:
    with pytest.raises(ValueError, match=f"num_classes: {number} must lie in 2 to 255"):
        models(["--num-classes", number])


def test_what_is_registered_is_listed_with_its_aliases_score_run_and_date(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert models(["--registered"]) == 0
    assert capsys.readouterr().out.startswith("no registered models yet; trainer register")
    run_id = start_parent("first", experiment="any")
    for name in ("cars", "cars", "\x1b[31mpets"):
        if find_model(name) is None:
            client().create_registered_model(name)
        tags = {"best.val_dice": "0.912345"}
        client().create_model_version(name, source="file:///x", run_id=run_id, tags=tags)
    set_alias("cars", "champion", "2")
    assert models(["--registered"]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    heading, *rows = (line.split() for line in said.splitlines())
    assert heading == ["Model", "Version", "Aliases", "Score", "Run", "Date"]
    newest = next(row for row in rows if row[0] == "cars")
    assert newest[1:6] == ["2", "champion", "0.9123", "val_dice", run_id[:8]]
    assert newest[6].startswith("20") and len(rows) == 3
    assert models(["--registered", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {(one["uri"], tuple(one["aliases"])) for one in told} >= {
        ("models:/cars/2", ("champion",)),
        ("models:/cars/1", ()),
    }


def test_the_registry_takes_no_setting_of_an_architecture() -> None:
    with pytest.raises(ValueError, match="registered: it lists the registry"):
        models(["--registered", "--depth", "3"])

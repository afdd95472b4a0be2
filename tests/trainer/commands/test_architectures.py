"""``trainer models``."""

import json
from typing import Any

import pytest

from trainer.commands.architectures import models
from trainer.models import MODELS


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

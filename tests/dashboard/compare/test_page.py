"""Which run is better is said alike by the page Compare, the page Models and ``trainer compare``.

The runs are such that other epochs, or the images in common alone, would turn the verdict round.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.models import reads as model_reads
from tests.trainer.evaluation.scored_runs import (
    BY_DICE,
    BY_MIOU,
    IMAGES,
    write_foreign_run,
    write_run,
)
from trainer.cli import main
from trainer.prediction import registry
from trainer.tracking.client import client

Open = Callable[..., AppTest]
Ask = Callable[[str, str], str]
WAYS = ("the page Compare", "the page Models", "trainer compare")


def said(app: AppTest) -> str:
    kinds = ("subheader", "text", "caption", "markdown", "code")
    return "\n".join(str(e.value) for kind in kinds for e in getattr(app, kind))


@pytest.fixture
def ways(
    store: Path,
    open_app: Open,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[dict[str, Ask]]:
    """Return each way to ask which of two runs is better; all that it says is the answer."""
    model_reads.forget()

    def page_compare(a: str, b: str) -> str:
        return said(open_app("compare", runs=f"{a},{b}"))

    def page_models(a: str, b: str) -> str:
        client().create_registered_model("cars")
        for run_id in (b, a):
            client().create_model_version("cars", "file:///nowhere", run_id)
        registry.promote("cars", "1")
        model_reads.forget()
        return said(open_app("models", model="cars", version="2"))

    def command(a: str, b: str) -> str:
        monkeypatch.setattr(sys, "argv", ["trainer", "compare", a, b, "--plan"])
        main()
        told = capsys.readouterr()
        return told.out + told.err

    yield dict(zip(WAYS, (page_compare, page_models, command), strict=True))
    model_reads.forget()


@pytest.mark.parametrize("way", WAYS)
def test_all_ways_judge_at_what_each_run_monitored(ways: dict[str, Ask], way: str) -> None:
    by_dice = write_run("by dice", BY_DICE)
    by_miou = write_run("by miou", BY_MIOU, monitor="val/miou", lr=0.5)
    answer = ways[way](by_dice, by_miou)
    of_models = way == "the page Models"
    claim = "A better" if of_models else "these two models differ on these images"
    assert f"{claim}: dice 0.88" in answer
    assert "difference +0.06" in answer and "n = 24 images" in answer
    assert ("p < 0.0001" in answer) == of_models
    assert ("of the configurations nothing is known: repeat with --seeds 3" in answer) != of_models
    assert "epoch 2, the best of val/dice" in answer
    assert "epoch 3, the best of val/miou" in answer
    assert "its best val/dice" in answer and "at its best val/miou" in answer


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"images": [*IMAGES[:-2], "x", "y"]}, "22 in common, 2 and 2 of their own, such as"),
        ({"classes": ["background", "bus"]}, "validated on different classes"),
        ({"digest": "0" * 12}, "trained on different data (digests"),
        ({"scale": 4, "image_size": (320, 480)}, "(320x480) differ in pixels"),
    ],
)
def test_no_way_compares_what_was_not_validated_alike(
    ways: dict[str, Ask], way: str, given: dict[str, str], named: str
) -> None:
    other = write_run("other", BY_MIOU, lr=0.5, **given)  # type: ignore[arg-type]
    answer = ways[way](write_run("by dice", BY_DICE), other)
    assert named in answer
    claims = ("is better", "better: ", "distinguishable", "on these images")
    assert not any(word in answer for word in claims)


@pytest.mark.parametrize("way", WAYS)
def test_all_ways_say_that_a_run_has_not_ended(ways: dict[str, Ask], way: str) -> None:
    going_on = write_run("going on", BY_MIOU[:2], outcome=None, says_best=False, lr=0.5)
    answer = ways[way](write_run("by dice", BY_DICE), going_on)
    # Its best so far is its first epoch, where it finds more than the other.
    signs = {"the page Models": "B better", "the page Compare": "difference -0.08"}
    assert signs.get(way, "dice 0.9748 and 0.8894 (difference +0.08") in answer
    assert "stands at epoch 1, the best of val/dice (so far: the run has not ended)" in answer


@pytest.mark.parametrize("way", WAYS)
def test_all_ways_say_that_another_program_kept_no_results(ways: dict[str, Ask], way: str) -> None:
    keras = write_foreign_run("keras", {"val_dice_coef": [0.1, 0.3, 0.2]})
    answer = ways[way](write_run("by dice", BY_DICE), keras)
    assert "needs the per-image results of each run's best epoch; without: " in answer
    assert "epoch 2, the best of val_dice_coef (of its curve" in answer


@pytest.mark.parametrize("way", WAYS)
def test_all_ways_say_what_would_tell_where_nothing_does(ways: dict[str, Ask], way: str) -> None:
    cars = [f"car {number // 4}" for number in range(len(IMAGES))]
    a, b = (write_run(n, BY_DICE, groups=cars, lr=lr) for n, lr in (("a", 0.5), ("b", 0.25)))
    answer = ways[way](a, b)
    assert "24 images of 6 groups" in answer or "24 validation images of 6 groups" in answer
    assert "difference of 0.01 between two such models is told with what there is" in answer


def test_registered_models_are_compared_as_models(ways: dict[str, Ask]) -> None:
    by_miou = write_run("by miou", BY_MIOU, monitor="val/miou")
    ways["the page Models"](write_run("by dice", BY_DICE), by_miou)
    answer = ways["trainer compare"]("models:/cars/2", "models:/cars@champion")
    assert "models:/cars/2 is better than models:/cars@champion: dice 0.88" in answer
    assert "p < 0.0001" in answer and "note: this is about these two models" in answer
    answer = ways["trainer compare"]("models:/cars/1", "models:/cars@champion")
    assert "models: two of them come from the same run; name other versions" in answer


def test_a_verdict_is_renewed_when_a_run_goes_on(ways: dict[str, Ask], store: Path) -> None:
    whole = write_run("by dice", BY_DICE)
    first = write_run("first", BY_MIOU[:1], outcome=None, says_best=False, lr=0.5)
    assert "difference -0.08" in ways["the page Compare"](whole, first)
    client().log_metric(first, "val/dice", 0.99, step=2)
    st.cache_resource.clear()
    assert "epoch 2" in ways["the page Compare"](whole, first)


def test_the_page_run_tells_the_epoch_that_is_compared(
    store: Path, open_app: Open, ways: dict[str, Ask]
) -> None:
    run_id = write_run("by miou", BY_MIOU, monitor="val/miou")
    shown = {metric.label: metric.value for metric in open_app("run", run=run_id).metric}
    assert shown["Best mIoU · epoch 3"] == "0.6500"
    assert shown["Best Dice"] == "0.7200"  # At that epoch, not the highest of all.
    app = open_app("samples", run=run_id)
    assert app.selectbox(key="epoch").value == 3

"""The epoch that a run stands for, and the verdict on runs."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.trainer.evaluation.scored_runs import (
    BY_DICE,
    BY_MIOU,
    IMAGES,
    Epoch,
    write_foreign_run,
    write_run,
)
from trainer.analysis.ratios import Sample
from trainer.analysis.scores import dice
from trainer.evaluation.results import best_epoch, by_configuration, which_is_better
from trainer.tracking import reading
from trainer.tracking.runs import set_tags

EVERY = {"val/dice": [0.1, 0.9, 0.3], "val/miou": [0.5, 0.6, 0.7], "loss": [3.0, 2.0, 1.0]}


def curves(metric: str) -> tuple[np.ndarray, np.ndarray]:
    values = np.array(EVERY.get(metric, []))
    return np.arange(1, values.size + 1), values


def row(**given: object) -> dict[str, object]:
    return {"headline": "val/dice", "status": "FINISHED", "outcome": "completed"} | given


@pytest.mark.parametrize(
    ("run", "epoch", "caveat"),
    [
        (row(**{"metrics.best/epoch": 3.0}), 3, ""),
        (row(**{"metrics.best/epoch": 3.0, "outcome": "pruned"}), 3, ""),
        (row(headline="val/miou", **{"metrics.best/epoch": 1.0}), 1, ""),
        # What was written at an earlier end is old once the run goes on.
        (row(status="RUNNING", outcome="", **{"metrics.best/epoch": 3.0}), 2, "has not ended"),
        (row(outcome="interrupted", **{"metrics.best/epoch": 3.0}), 2, "was interrupted"),
        (row(headline="val/miou", status="RUNNING"), 3, "has not ended"),
        (row(outcome=float("nan")), 2, "names no best epoch"),
        (row(headline="", **{"metrics.best/epoch": 3.0}), 3, ""),
    ],
)
def test_the_best_epoch_is_the_runs_own(run: dict[str, object], epoch: int, caveat: str) -> None:
    best = best_epoch(run, curves)
    assert best is not None
    assert (best.epoch, best.metric) == (epoch, run["headline"])
    assert caveat in best.caveat and bool(caveat) == bool(best.caveat)
    assert f"epoch {epoch}" in str(best)


def test_a_run_without_a_headline_or_its_values_has_no_best_epoch() -> None:
    assert best_epoch(row(headline=""), curves) is None
    assert best_epoch(row(headline="val_f1"), curves) is None


def test_an_epoch_that_stands_in_where_none_had_a_score_is_not_called_the_best() -> None:
    kept = row(**{"metrics.best/epoch": 4.0, "metrics.best/val_dice": math.nan})
    assert str(best_epoch(kept, curves)) == (
        "epoch 4 (the last that was kept, for no epoch had a val/dice)"
    )


def test_a_value_that_is_no_number_is_never_the_best() -> None:
    values = np.array([np.nan, 0.2, np.inf, 0.4, 0.4])
    best = best_epoch(row(), lambda _: (np.arange(1, 6), values))
    assert best is not None and best.epoch == 4


def test_a_verdict_is_on_the_epochs_that_the_runs_chose_by_what_they_monitored(
    store: Path,
) -> None:
    by_dice = write_run("by dice", BY_DICE)
    by_miou = write_run("by miou", BY_MIOU, monitor="val/miou")
    verdict = which_is_better({"A": [by_dice], "B": [by_miou]}, of_models=True)
    (pair,) = verdict.pairs
    assert {run_id: best.epoch for run_id, best in verdict.best.items()} == {by_dice: 2, by_miou: 3}
    assert pair.verdict == "A better"
    assert pair.differences["dice"].b == pytest.approx(2 * 0.7 / (2 * 0.7 + 0.3), abs=0.01)
    assert "A is at its best val/dice, B at its best val/miou" in pair.notes
    # The highest Dice of the second would have turned it round.
    assert dice(*(np.array(n) for n in (950, 0, 50))) > pair.differences["dice"].a


def test_seeds_are_one_side_whatever_the_order_of_their_images(store: Path) -> None:
    lower = [Epoch(e.dice - 0.2, e.miou - 0.2, e.found - 0.2) for e in BY_DICE]
    seeds = [write_run("s", BY_DICE), write_run("s", BY_DICE, images=IMAGES[::-1], seed=1)]
    other = write_run("other", lower, lr=0.5)
    groups = by_configuration([seeds[0], other], all_seeds=True)
    assert groups == {"s": seeds, "other": [other]}
    (pair,) = which_is_better(groups).pairs
    assert pair.verdict.startswith("these models differ on these images; of the configurations")
    assert (pair.seeds, pair.sample) == ((2, 1), Sample(len(IMAGES)))


REFUSED = {
    "other images": ({"images": [*IMAGES[:-2], "x", "y"]}, "images: A and B .* 22 in common, 2 an"),
    "more images": ({"images": [*IMAGES, "x"]}, "24 in common, 0 and 1 of their own, such as x"),
    "other classes": ({"classes": ["background", "bus"]}, "classes: A and B .* such as bus"),
    "other data": ({"digest": "0" * 12}, "data: A and B .* different data .*3f9a1c0b77de and 0000"),
    "unknown data": ({"digest": None}, "data: B does not say what data it was trained on"),
    "another size": (
        {"scale": 4, "image_size": (320, 480)},
        r"image size: the targets of A \(160x240\) and B \(320x480\) differ in pixels",
    ),
}


@pytest.mark.parametrize("how", REFUSED)
def test_what_differs_in_more_than_the_runs_is_refused(store: Path, how: str) -> None:
    given, said = REFUSED[how]
    run_ids = write_run("a", BY_DICE), write_run("b", BY_DICE, **given)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=said):
        which_is_better({"A": [run_ids[0]], "B": [run_ids[1]]})


def test_runs_without_results_are_all_named(store: Path) -> None:
    whole = write_run("a", BY_DICE)
    keras = write_foreign_run("keras", {"val_dice_coef": [0.1, 0.3, 0.2]})
    nothing = write_foreign_run("nothing", {"loss": [0.1]})
    with pytest.raises(ValueError, match=r"K \(of epoch 2.*val_dice_coef.*\), N \(no epoch"):
        which_is_better({"A": [whole], "K": [keras], "N": [nothing]})
    with pytest.raises(ValueError, match="there is no run 'gone' in this store"):
        which_is_better({"A": [whole], "B": ["gone"]})


@pytest.mark.parametrize("outcome", [None, "interrupted"])
def test_a_run_without_an_end_counts_with_its_best_so_far_which_is_said(
    store: Path, outcome: str | None
) -> None:
    whole = write_run("a", BY_DICE)
    part = write_run("b", BY_MIOU[:2], monitor="val/miou", outcome=outcome, says_best=False)
    verdict = which_is_better({"A": [whole], "B": [part]})
    assert verdict.best[part].epoch == 2
    assert any(
        "B stands at epoch 2" in note and "so far" in note for note in verdict.pairs[0].notes
    )


def test_groups_come_from_the_parts_the_largest_that_any_run_knows(store: Path) -> None:
    cars = [f"car {number // 4}" for number in range(len(IMAGES))]
    by_car = write_run("by car", BY_DICE, groups=cars)
    alone = write_run("alone", BY_DICE, groups=IMAGES, lr=0.5)
    unknown = write_run("unknown", BY_DICE, lr=0.25)
    for other in (alone, unknown):
        (pair,) = which_is_better({"A": [by_car], "B": [other]}).pairs
        assert pair.sample == Sample(24, 6)
        assert "24 images of 6 groups" in pair.sentence
    (pair,) = which_is_better({"A": [alone], "B": [unknown]}).pairs
    assert pair.sample == Sample(24, 24) and "of" not in pair.n
    (pair,) = which_is_better(
        {"A": [unknown], "B": [write_run("unknown too", BY_DICE, lr=0.125)]}
    ).pairs
    assert "groups unknown: images are taken for independent" in pair.notes


Headlines = Callable[[str], str]


def test_the_headline_is_what_the_run_monitored(store: Path) -> None:
    write_run("by miou", BY_MIOU, monitor="val/miou")
    write_run("by dice", BY_DICE)
    write_foreign_run("one score", {"val_dice_coef": [0.5], "dice_coef": [0.6], "val_loss": [1.0]})
    write_foreign_run("logs ours", {"val/dice": [0.5], "val/iou": [0.4]})
    write_foreign_run("none", {"loss": [0.5], "accuracy": [0.5]})
    several = write_foreign_run("several", {"val_dice": [0.5], "val_iou": [0.4], "valence": [1.0]})
    found = reading.list_runs().set_index("name")["headline"]
    assert found.to_dict() == {
        "by miou": "val/miou",
        "by dice": "val/dice",
        "one score": "val_dice_coef",
        "logs ours": "val/dice",
        "none": "",
        "several": "",
    }
    set_tags(several, {"segscope.headline": "val_iou"})
    assert reading.list_runs()["headline"][several] == "val_iou"


@pytest.mark.slow  # a tracking server takes half a minute to start
def test_the_same_verdict_through_a_server(remote: Path) -> None:
    by_dice = write_run("by dice", BY_DICE)
    by_miou = write_run("by miou", BY_MIOU, monitor="val/miou")
    for _ in range(2):  # Fetched, then from the cache.
        verdict = which_is_better({"A": [by_dice], "B": [by_miou]}, of_models=True)
        assert verdict.pairs[0].verdict == "A better"
        assert verdict.best[by_miou].epoch == 3
    part = f"cache/artifacts/{by_miou}/**/evaluation/per_image/epoch-0003.parquet"
    assert len(list(remote.glob(part))) == 1

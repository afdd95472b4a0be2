import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests.trainer.analysis.curves import BY_DRAWDOWN, LR_1E_4
from trainer.analysis.diagnosis import RULES, Finding, History, PerImageDice, diagnose

READ = (
    *("val/dice", "train/dice", "val/loss", "train/loss", "train/grad_norm", "lr"),
    "val/foreground_share",
)
RISING = 0.95 - 0.4 * np.exp(-np.arange(20) / 2.0)
FLAT = np.concatenate([RISING[:8], np.full(12, RISING[7])])


def found(rule: str, curves: dict[str, object], **facts: object) -> Finding | None:
    (finding,) = [f for f in diagnose(curves, **facts) if f.rule == rule] or [None]
    return finding


def only_car(epochs: list[int], car: list[list[float]]) -> PerImageDice:
    """Per-image Dice of the class car; ``car`` is (epochs, images)."""
    scores = np.array(car, dtype=float)
    return PerImageDice(
        epochs=epochs,
        images=[f"{number:02d}" for number in range(1, scores.shape[1] + 1)],
        classes=["background", "car"],
        dice=np.stack([np.full_like(scores, 0.99), scores], axis=-1),
    )


# unstable ---------------------------------------------------------------------------------------


def test_unstable_tells_what_fell_when_it_came_back_and_what_to_do() -> None:
    per_image = only_car(
        [4, 5, 6],
        [[0.9, 0.99, 0.98, 0.95, 0.9, 0.9, 0.97], [0.9] * 7, [0.9, 0.97, 0, 0.94, 0.9, 0.9, 0.0]],
    )
    finding = found("unstable", {"val/dice": LR_1E_4}, per_image=per_image)
    assert finding is not None
    assert finding.message == (
        "validation Dice fell by 0.281 at epoch 6 and recovered at 7: lower the learning rate or "
        "clip gradients; 2 dips, at epochs 2, 6; images 03, 07 lost the whole car"
    )
    assert finding.threshold == "maximum drawdown > 0.05, the first 3 epochs left out"
    assert finding.severity == "warning"
    assert finding.epochs == (2, 6)
    assert finding.evidence["previous_best_epoch"] == 4
    assert finding.evidence["fallen"][0]["image"] == "03"


def test_unstable_names_the_largest_falls_where_nothing_was_lost_altogether() -> None:
    per_image = only_car([4, 6], [[0.9, 0.9, 0.9, np.nan], [0.8, 0.5, 0.9, 0.2]])
    finding = found("unstable", {"val/dice": LR_1E_4}, per_image=per_image)
    assert finding is not None
    assert finding.message.endswith("images 02 (car 0.90 → 0.50), 01 (car 0.90 → 0.80) fell most")


def test_unstable_names_the_class_among_many() -> None:
    dice = np.full((2, 3, 3), 0.9)
    dice[1, 1:, 2] = 0.01
    per_image = PerImageDice(
        epochs=[4, 6], images=["a", "b", "c"], classes=["sky", "road", "sign"], dice=dice
    )
    finding = found("unstable", {"val/dice": LR_1E_4}, per_image=per_image)
    assert finding is not None
    assert finding.message.endswith("images b, c lost the whole sign")


def test_unstable_without_the_epochs_kept_names_no_image() -> None:
    finding = found("unstable", {"val/dice": LR_1E_4}, per_image=only_car([1], [[0.5]]))
    assert finding is not None
    assert finding.message.endswith("2 dips, at epochs 2, 6")


def test_a_fall_without_recovery_is_a_problem() -> None:
    finding = found("unstable", {"val/dice": [0.8, 0.9, 0.91, 0.2, 0.3]})
    assert finding is not None
    assert finding.severity == "problem"
    assert "fell by 0.710 at epoch 4 and did not recover" in finding.message


@pytest.mark.parametrize("epochs", [5, 10, 50])
def test_a_wobble_before_a_network_has_learnt_is_no_instability(epochs: int) -> None:
    values = np.append([0.6, 0.3, 0.5], np.linspace(0.7, 0.9, epochs - 3))
    assert found("unstable", {"val/dice": values}) is None
    values[3] = 0.4
    finding = found("unstable", {"val/dice": values})
    assert finding is not None
    assert finding.severity == "warning"


@pytest.mark.parametrize("at", range(1, 8))
def test_falling_back_from_one_lucky_epoch_is_told_as_that(at: int) -> None:
    values = np.full(10, 0.5)
    values[at] = 0.9
    finding = found("unstable", {"val/dice": values})
    assert finding is not None and finding.severity == "warning"
    assert finding.epochs == (at + 1,)
    assert f"was 0.900 at epoch {at + 1} alone, and at most 0.500 beside it" in finding.message
    values[-1] = 0.44
    finding = found("unstable", {"val/dice": values})
    assert finding is not None and "fell by 0.460 at epoch 10" in finding.message


def test_instability_shows_the_learning_rate_and_the_gradient_norm() -> None:
    curves = {"val/dice": LR_1E_4, "lr": np.full(10, 1e-4), "train/grad_norm": np.arange(1, 11)}
    finding = found("unstable", curves)
    assert finding is not None
    shown = finding.evidence
    assert (shown["lr"], shown["grad_norm"], shown["median_grad_norm"]) == (1e-4, 6, 5.5)


@pytest.mark.parametrize("column", BY_DRAWDOWN)
def test_of_the_reports_columns_two_are_unstable(column: str) -> None:
    finding = found("unstable", {"val/dice": BY_DRAWDOWN[column][2]})
    assert (finding is not None) == (column == "batch 32")


# overfitting ------------------------------------------------------------------------------------


def test_overfitting_is_a_falling_validation_with_a_growing_gap() -> None:
    epochs = np.arange(20)
    val = RISING - 0.004 * np.maximum(0, epochs - 8)
    finding = found("overfitting", {"train/dice": RISING + 0.002 * epochs, "val/dice": val})
    assert finding is not None
    assert 6 <= finding.evidence["best_epoch"] <= 10
    assert "val/dice became worse by 0.0" in finding.message


def test_overfitting_in_the_loss_alone_is_told_as_such() -> None:
    train = np.exp(-np.arange(20) / 4.0)
    val = np.concatenate([np.linspace(1, 0.3, 8), np.linspace(0.32, 0.6, 12)])
    curves = {"train/dice": FLAT, "val/dice": FLAT, "train/loss": train, "val/loss": val}
    finding = found("overfitting", curves)
    assert finding is not None
    assert (finding.severity, finding.evidence["best_epoch"]) == ("note", 8)
    assert finding.message.startswith("since epoch 8 val/loss became worse by 0.2")
    assert "val/dice does not show it" in finding.message
    alone = found("overfitting", {"train/loss": train, "val/loss": val})
    assert alone is not None
    assert alone.severity == "warning"
    falling = {**curves, "val/dice": FLAT - 0.02 * np.maximum(0, np.arange(20) - 8)}
    of_score = found("overfitting", {**falling, "train/dice": FLAT + 0.001 * np.arange(20)})
    assert of_score is not None
    assert "val/dice became worse" in of_score.message


def test_overfitting_from_losses_where_a_run_has_no_training_score() -> None:
    train = np.exp(-np.arange(20) / 4.0)
    val = np.concatenate([np.linspace(1, 0.3, 8), np.linspace(0.32, 0.6, 12)])
    assert found("overfitting", {"train/loss": train, "val/loss": val}) is not None
    assert found("overfitting", {"train/loss": train, "val/loss": train + 0.1}) is None


@pytest.mark.parametrize(
    ("train", "val"),
    [
        (RISING + 0.04, RISING),  # a gap that does not grow
        (RISING + 0.004 * np.arange(20), RISING),  # it grows, but validation rises
        (RISING - 0.3 * (np.arange(20) >= 12), RISING - 0.3 * (np.arange(20) >= 12)),  # both fall
        (RISING, RISING - 0.3 * (np.arange(20) == 19)),  # one odd epoch at the end
        (RISING[:5], RISING[:5]),  # too short to say
    ],
)
def test_what_is_no_overfitting(train: np.ndarray, val: np.ndarray) -> None:
    assert found("overfitting", {"train/dice": train, "val/dice": val}) is None


# collapsed to background ------------------------------------------------------------------------


def test_collapse_to_background() -> None:
    share = np.array([0.1, 0.2, 0.004, 0.0, 0.0])
    finding = found(
        "collapsed to background", {"val/foreground_share": share}, target_foreground_share=0.2
    )
    assert finding is not None
    assert finding.epochs == (3, 4, 5)
    assert finding.message.startswith("since epoch 3 0.00% of the pixels are predicted")


def test_collapse_to_foreground() -> None:
    share = np.array([0.1, 0.2, 0.97, 1.0, 1.0])
    finding = found(
        "collapsed to foreground", {"val/foreground_share": share}, target_foreground_share=0.2
    )
    assert finding is not None
    assert (finding.severity, finding.epochs) == ("problem", (3, 4, 5))
    assert finding.message.startswith("since epoch 3 0.00% of the pixels are predicted as backgr")


@pytest.mark.parametrize(
    ("share", "target"),
    [
        ([1.0, 1.0, 0.21], 0.2),  # it began so and came out of it
        ([0.95, 0.95], 0.2),  # too much, yet some background is left
        ([1.0, 1.0], 1.0),  # the targets hold no background
        ([1.0, 1.0], 0.97),  # hardly any, as where class 0 is one of many
        ([1.0, 1.0], None),
        ([0.0, 0.0], 0.2),  # the other collapse
        ([], 0.2),
    ],
)
def test_what_is_no_collapse_to_foreground(share: list[float], target: float | None) -> None:
    curves = {"val/foreground_share": share}
    assert found("collapsed to foreground", curves, target_foreground_share=target) is None


@pytest.mark.parametrize(
    ("share", "target"),
    [
        ([0.0, 0.0, 0.19], 0.2),  # it began so and came out of it
        ([0.02, 0.02], 0.2),  # a tenth of the target's: too little, yet no collapse
        ([0.0, 0.0], 0.0),  # the targets hold no foreground
        ([0.0, 0.0], None),
        ([0.001, 0.001], 0.002),  # small objects
        ([], 0.2),
    ],
)
def test_what_is_no_collapse(share: list[float], target: float | None) -> None:
    curves = {"val/foreground_share": share}
    assert found("collapsed to background", curves, target_foreground_share=target) is None


# plateaued --------------------------------------------------------------------------------------


def test_plateau() -> None:
    finding = found("plateaued", {"val/dice": FLAT})
    assert finding is not None
    assert finding.evidence["best_epoch"] == 8
    assert finding.evidence["window"] == 6
    assert found("plateaued", {"val/dice": FLAT}, patience=12) is not None


@pytest.mark.parametrize(
    ("gain", "said"),
    [(0.0, "did not rise in"), (2e-6, "rose by only 2e-06 in"), (5e-4, "rose by only 0.0005 in")],
)
def test_a_plateau_tells_its_rise_with_the_digits_that_it_has(gain: float, said: str) -> None:
    finding = found("plateaued", {"val/dice": [0.5] * 14 + [0.5 + gain] * 6}, patience=6)
    assert finding is not None
    assert said in finding.message


@pytest.mark.parametrize(
    "values",
    [
        np.linspace(0.5, 0.9, 20),  # rising
        RISING[:6],  # too short
        np.concatenate([RISING[:8], RISING[7] - 0.01 * np.arange(12)]),  # falling away
        LR_1E_4,  # gains 0.0015 in its last five epochs
    ],
)
def test_what_is_no_plateau(values: np.ndarray) -> None:
    assert found("plateaued", {"val/dice": values}) is None


def test_patience_sets_the_window_of_a_plateau() -> None:
    values = np.concatenate([RISING, np.full(3, RISING[-1])])
    assert found("plateaued", {"val/dice": values}, patience=3) is not None
    assert found("plateaued", {"val/dice": values}, patience=19) is None


# diverged ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, np.finfo(float).max])
def test_divergence_is_a_loss_that_is_not_finite(bad: float) -> None:
    curves = {"train/loss": [0.5, 0.4, bad, bad], "lr": [0.1] * 4}
    finding = found("diverged", curves)
    assert finding is not None
    assert finding.epochs == (3, 4)
    assert finding.message.startswith("train/loss was not finite from epoch 3 at learning rate 0.1")
    assert found("diverged", {"train/loss": [0.5, 0.4], "val/loss": [0.5, bad]}) is not None


def test_a_missing_epoch_or_a_large_loss_is_no_divergence() -> None:
    sparse = History(np.array([5, 10, 15]), np.array([0.5, 0.4, 1e6]))
    assert found("diverged", {"train/loss": np.ones(15), "val/loss": sparse}) is None
    assert found("diverged", {"val/dice": [np.nan, 0.5]}) is None


def test_an_epoch_repeated_after_a_resume_has_not_diverged() -> None:
    repaired = History(np.array([1, 2, 2, 3]), np.array([0.5, np.nan, 0.4, 0.3]))
    assert found("diverged", {"train/loss": repaired}) is None


# not finite -------------------------------------------------------------------------------------


def test_epochs_without_a_score_are_told_and_no_trend_across_them() -> None:
    values = np.linspace(0.5, 0.9, 12)
    finding = found("not finite", {"val/dice": np.where(np.arange(12) == 4, np.nan, values)})
    assert finding is not None
    assert finding.message.startswith(
        "val/dice is no finite number in 1 of 12 epochs (the first: 5), which nothing counts: "
    )
    assert (finding.severity, finding.epochs) == ("warning", (5,))
    gaps = {"val/dice": np.where(np.arange(12) % 2 == 0, np.nan, values)}
    assert [f.rule for f in diagnose(gaps)] == ["not finite"]
    assert found("not finite", gaps).severity == "problem"
    for last in (np.nan, np.inf):
        assert found("not finite", {"val/dice": [*values, last]}).severity == "problem"
        assert found("still improving", {"val/dice": [*values, last]}) is None
        assert found("plateaued", {"val/dice": [*FLAT, last]}) is None


# still improving --------------------------------------------------------------------------------


def test_still_improving() -> None:
    finding = found("still improving", {"val/dice": np.linspace(0.5, 0.9, 20)}, outcome="completed")
    assert finding is not None
    assert finding.message.endswith("best at epoch 20 of 20: train for more epochs")
    early = found(
        "still improving", {"val/dice": np.linspace(0.5, 0.9, 5)}, outcome="early-stopped"
    )
    assert early is not None
    assert early.suggestion == "give more patience"


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        (FLAT, "completed"),
        (LR_1E_4, "completed"),
        (np.linspace(0.5, 0.9, 20), "pruned"),
        (np.linspace(0.5, 0.9, 20), "interrupted"),
        (np.append(FLAT, 0.99), "completed"),  # one lucky epoch
        (np.append(np.linspace(0.5, 0.9, 9), 0.5), "completed"),  # the best lies in it, yet it fell
        ([0.5, 0.9, 0.95], "completed"),  # too short
    ],
)
def test_what_is_not_still_improving(values: np.ndarray, outcome: str) -> None:
    assert found("still improving", {"val/dice": values}, outcome=outcome) is None


# validation set too small -----------------------------------------------------------------------


def test_too_few_images_for_the_difference_claimed() -> None:
    random = np.random.default_rng(0)
    spread = only_car([1, 2], random.normal(0.8, 0.1, (2, 25)).tolist())
    curves = {"val/dice": [0.7, 0.8]}
    finding = found("validation set too small", curves, per_image=spread, claimed_difference=0.02)
    assert finding is not None
    half = stats.t.ppf(0.975, 24) * spread.dice[1, :, 1].std(ddof=1) / 5
    assert finding.evidence["half_width"] == pytest.approx(half)
    assert finding.severity == "warning"
    large = found("validation set too small", curves, per_image=spread, claimed_difference=0.1)
    assert large is None


def test_views_of_one_car_know_no_more_than_one_of_them() -> None:
    """A t-test on the means of equal groups: the images say which car, the cars are the sample."""
    cars = np.random.default_rng(0).normal(0.8, 0.1, 8)
    views = cars.repeat(16) + np.random.default_rng(1).normal(0, 0.01, 128)
    spread = replace(
        only_car([1], [views.tolist()]), groups=[f"car {at}" for at in range(8) for _ in range(16)]
    )
    finding = found("validation set too small", {"val/dice": [0.8]}, per_image=spread)
    assert finding is not None
    means = views.reshape(8, 16).mean(axis=1)
    half = stats.t.ppf(0.975, 7) * means.std(ddof=1) / np.sqrt(8)
    assert finding.evidence["half_width"] == pytest.approx(half)
    assert finding.message.startswith(
        f"128 validation images of 8 groups know Dice to ± {half:.3f}"
    )
    assert "validate on more groups" in finding.message
    alone = found(
        "validation set too small",
        {"val/dice": [0.8]},
        per_image=only_car([1], [views.tolist()]),
        claimed_difference=0.001,
    )
    assert alone is not None and alone.evidence["half_width"] < half / 2


def test_few_images_without_their_scores() -> None:
    curves = {"val/dice": LR_1E_4}
    assert found("validation set too small", curves, num_val_images=5) is not None
    assert found("validation set too small", curves, num_val_images=500) is None
    assert found("validation set too small", curves) is None


# the whole --------------------------------------------------------------------------------------


def test_the_most_serious_is_told_first() -> None:
    curves = {
        "val/dice": LR_1E_4,
        "train/loss": [*np.ones(9), np.nan],
        "val/foreground_share": np.zeros(10),
    }
    names = [f.rule for f in diagnose(curves, target_foreground_share=0.3, num_val_images=3)]
    assert names[:3] == ["diverged", "collapsed to background", "unstable"]
    assert names == sorted(names, key=list(RULES).index)


def test_every_finding_is_named_as_its_row_and_survives_json() -> None:
    curves = {"val/dice": LR_1E_4, "train/loss": [*np.ones(9), np.nan], "lr": np.full(10, np.nan)}
    for finding in diagnose(curves, num_val_images=3):
        assert finding.rule in RULES
        assert finding.threshold and finding.suggestion in finding.message
        json.dumps(finding.to_json(), allow_nan=False)


@given(st.dictionaries(st.sampled_from(READ), st.floats(0, 1), min_size=1))
def test_no_advice_is_given_on_one_epoch(values: dict[str, float]) -> None:
    curves = {name: [value] for name, value in values.items()}
    assert diagnose(curves, target_foreground_share=0.5, num_val_images=100) == []


@pytest.mark.parametrize("values", [[], [0.5], [0.5, 0.6]])
def test_nothing_to_say_about_next_to_nothing(values: list[float]) -> None:
    curves = {"val/dice": values, "train/dice": values, "val/foreground_share": values}
    assert diagnose(curves, target_foreground_share=0.2, num_val_images=100) == []


def test_a_good_run_has_no_findings() -> None:
    values = np.array([0.90, 0.93, 0.95, 0.96, 0.965, 0.968, 0.970, 0.972, 0.9735, 0.975])
    curves = {
        "val/dice": values,
        "train/dice": values + 0.005,
        "train/loss": 1 - values,
        "val/loss": 1 - values,
        "val/foreground_share": np.full(10, 0.2),
    }
    assert diagnose(curves, target_foreground_share=0.2, num_val_images=500) == []


def test_shapes_of_per_image_scores_are_checked() -> None:
    with pytest.raises(ValueError, match=r"dice: shape \(1, 1\) is not \(1, 1, 2\)"):
        PerImageDice(epochs=[1], images=["a"], classes=["b", "c"], dice=np.zeros((1, 1)))

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests.trainer.analysis.simulated import counts, pair
from trainer.analysis.bootstrap import score_intervals
from trainer.analysis.comparison import compare, compare_all, holm
from trainer.analysis.ratios import PixelCounts, Sample, ratio_of
from trainer.analysis.score_table import comparable, headlines


def coverage(truth: float, *, runs: int, images: int, **world: float) -> float:
    """Share of simulated comparisons whose interval holds the true difference of dice."""
    random = np.random.default_rng(7)
    held = 0
    for _ in range(runs):
        a, b = pair(random, images, gap=0.2, **world)
        interval = compare(a, b, scores=(), resamples=400).interval
        held += interval.low <= truth <= interval.high
    return held / runs


def true_difference(*, populations: int, images: int, **world: float) -> float:
    random = np.random.default_rng(99)
    found = []
    for _ in range(populations):
        a, b = (ratio_of("dice", side) for side in pair(random, images, gap=0.2, **world))
        found.append(float(a.of_all().mean() - b.of_all().mean()))
    return float(np.mean(found))


# intervals --------------------------------------------------------------------------------------


def test_percentile_interval_and_standard_error_against_scipy() -> None:
    a, b = pair(np.random.default_rng(3), 40, gap=0.3)
    columns = [side[0, :, 1] for side in (a.tp, a.fp, a.fn, b.tp, b.fp, b.fn)]

    def dice_difference(*drawn: np.ndarray, axis: int = -1) -> np.ndarray:
        tp, fp, fn, other_tp, other_fp, other_fn = (values.sum(axis=axis) for values in drawn)
        first = 2 * tp / (2 * tp + fp + fn)
        return first - 2 * other_tp / (2 * other_tp + other_fp + other_fn)

    expected = stats.bootstrap(
        columns,
        dice_difference,
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=20_000,
        rng=np.random.default_rng(0),
    )
    interval = compare(a, b, resamples=20_000).interval
    ours = [interval.percentile_low, interval.percentile_high]
    tolerance = 0.05 * expected.standard_error
    np.testing.assert_allclose(ours, expected.confidence_interval, atol=tolerance)
    # Ours is corrected by n / (n - 1), and the bounds are Student's.
    error = expected.standard_error * np.sqrt(40 / 39)
    assert interval.standard_error == pytest.approx(error, rel=0.03)
    sizes = [2 * tp + fp + fn for tp, fp, fn in (columns[:3], columns[3:])]
    freedom = min(size.sum() ** 2 / (size**2).sum() for size in sizes) - 1
    assert interval.degrees_of_freedom == pytest.approx(freedom)
    assert freedom < 39
    half = stats.t.ppf(0.975, freedom) * interval.standard_error
    assert (interval.low, interval.high) == pytest.approx(
        (interval.value - half, interval.value + half)
    )


def test_the_mean_over_images_has_the_interval_of_a_t_test() -> None:
    a, b = pair(np.random.default_rng(4), 25, gap=0.2)
    interval = (
        compare(a, b, scores=("dice_per_image",), resamples=20_000)
        .differences["dice_per_image"]
        .interval
    )
    paired = stats.ttest_rel(a.dice_of_images()[0], b.dice_of_images()[0])
    expected = paired.confidence_interval(0.95)
    width = expected.high - expected.low
    np.testing.assert_allclose(
        [interval.low, interval.high], [expected.low, expected.high], atol=0.02 * width
    )
    assert interval.p_value == pytest.approx(paired.pvalue, rel=0.2)


def test_intervals_of_one_configuration() -> None:
    evaluated = counts(np.random.default_rng(0), images=30)
    found = score_intervals(evaluated, ("dice", "miou", "dice_per_image", "iou/2", "accuracy"))
    for name, interval in found.items():
        assert interval.low < interval.value < interval.high, name
        shown = (interval.sample.images, interval.seeds, interval.resamples)
        assert shown == (30, (1,), 10_000)


def test_bounds_of_a_score_are_those_of_its_logit() -> None:
    a, _ = pair(np.random.default_rng(0), 20)
    found = score_intervals(a, ("dice",))["dice"]
    quantile = stats.t.ppf(0.975, found.degrees_of_freedom)
    by_hand = quantile * found.standard_error / (found.value * (1 - found.value))
    logits = [np.log(x / (1 - x)) for x in (found.low, found.value, found.high)]
    assert np.diff(logits) == pytest.approx([by_hand, by_hand])


@pytest.mark.parametrize(("tp", "wrong", "score"), [(0, 5, 0.0), (5, 0, 1.0)])
def test_a_score_at_the_end_of_its_range_stays_there(tp: int, wrong: int, score: float) -> None:
    counted = np.full((1, 6, 2), tp), np.full((1, 6, 2), wrong), np.full((1, 6, 2), wrong)
    found = score_intervals(PixelCounts(*counted), ("dice",))["dice"]
    assert (found.low, found.value, found.high) == (score, score, score)


@pytest.mark.parametrize("units", [1, 4])
@pytest.mark.parametrize("views", [1, 16])
def test_a_few_units_have_no_interval(units: int, views: int) -> None:
    a, _ = pair(np.random.default_rng(0), units * views, views=views)
    found = score_intervals(a, ("dice",))["dice"]
    assert np.isnan([found.low, found.high, found.p_value]).all()


def test_the_same_seed_gives_the_same_interval_and_another_a_close_one() -> None:
    a, b = pair(np.random.default_rng(5), 30)
    first, again, other = (compare(a, b, seed=seed).interval for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert first.standard_error == pytest.approx(other.standard_error, rel=0.05)


def test_blocks_of_resamples_are_all_counted() -> None:
    a, b = pair(np.random.default_rng(6), 3000)
    interval = compare(a, b, scores=(), resamples=3000).interval  # three blocks
    assert interval.resamples == 3000


def test_nominal_95_percent_cover_between_92_and_98() -> None:
    truth = true_difference(populations=1, images=300_000)
    for images in (5, 20):
        assert 0.92 <= coverage(truth, runs=400, images=images) <= 0.98


@pytest.mark.slow
def test_coverage_over_seeds() -> None:
    # Many small populations, so that the spread of their seeds averages out too.
    truth = true_difference(populations=2000, images=200, seed_spread=0.2)
    for seeds in (3, 5):
        covered = coverage(truth, runs=300, images=30, seeds=seeds, seed_spread=0.2)
        assert 0.92 <= covered <= 0.98


# verdicts ---------------------------------------------------------------------------------------


def test_a_clear_difference_has_a_winner() -> None:
    worse, better = pair(np.random.default_rng(0), 60, gap=0.8)
    found = compare(worse, better, names=("wide", "narrow"), of_models=True)
    assert found.verdict == "B better"
    assert found.sentence.startswith("wide is worse than narrow: dice 0.")
    turned = found.better_first()
    assert turned.sentence.startswith("narrow is better than wide: dice 0.9")
    assert (turned.verdict, turned.interval.low) == ("A better", -found.interval.high)
    assert turned.interval.low < turned.interval.value < turned.interval.high
    assert turned.most_different[0].difference == -found.most_different[0].difference
    assert turned.better_first() is turned
    assert "p < 0.0001;" in found.sentence
    assert "n = 60 images, 1 seed each" in found.sentence
    assert compare(better, worse, of_models=True).verdict == "A better"
    assert list(found.differences) == list(headlines())


def test_no_difference_is_not_distinguishable() -> None:
    a, b = pair(np.random.default_rng(1), 30)
    found = compare(a, b, of_models=True)
    assert found.verdict == "not distinguishable with n = 30 images, 1 seed each"
    assert found.sentence.startswith("A and B are not distinguishable with n = 30 images")


def test_the_same_predictions_are_not_distinguishable() -> None:
    a, _ = pair(np.random.default_rng(1), 10)
    found = compare(a, a, of_models=True)
    assert found.verdict.startswith("not distinguishable")
    assert (found.interval.low, found.interval.high, found.p_value) == (0, 0, 1)
    assert found.most_different == ()


def test_pairing_tells_what_separate_intervals_would_not() -> None:
    a, b = pair(np.random.default_rng(2), 40, gap=0.35)
    assert compare(a, b, of_models=True).verdict == "B better"
    apart = [score_intervals(side, ("dice",))["dice"] for side in (a, b)]
    assert apart[0].high > apart[1].low


def test_a_difference_within_the_spread_of_seeds_is_none() -> None:
    # One seed each, and one side is clearly better; over five seeds it is chance.
    random = np.random.default_rng(11)
    for _ in range(50):
        a, b = pair(random, 60, seeds=5, seed_spread=0.3)
        single = compare(*(PixelCounts(s.tp[:1], s.fp[:1], s.fn[:1]) for s in (a, b)))
        if single.distinguishable:
            break
    assert single.distinguishable
    assert single.verdict.startswith("these two models differ on these images; of the config")
    over_seeds = compare(a, b)
    assert over_seeds.over_seeds
    assert over_seeds.verdict == "not distinguishable with n = 60 images, 5 seeds each"
    assert over_seeds.notes == ("groups unknown: images are taken for independent",)


def test_uneven_seeds() -> None:
    a, b = pair(np.random.default_rng(0), 20, seeds=3, seed_spread=0.1)
    fewer = PixelCounts(a.tp[:2], a.fp[:2], a.fn[:2])
    found = compare(fewer, b)
    assert found.over_seeds and found.seeds == (2, 3)
    assert "2 and 3 seeds" in found.verdict
    one = compare(PixelCounts(a.tp[:1], a.fp[:1], a.fn[:1]), b)
    assert not one.over_seeds and one.verdict.startswith("these models ")


@pytest.mark.parametrize("images", [1, 2, 4])
def test_too_few_images_for_any_verdict(images: int) -> None:
    a, b = pair(np.random.default_rng(0), images, gap=3.0)
    found = compare(a, b)
    assert found.verdict.startswith(f"nothing can be told with n = {images} image")
    assert found.verdict in found.sentence and "interval" not in found.sentence
    assert any("too few" in note for note in found.notes)
    json.dumps(found.to_json(), allow_nan=False)


def test_images_that_differ_most() -> None:
    tp, wrong = np.full((1, 6, 2), 100.0), np.full((1, 6, 2), 10.0)
    a = PixelCounts(tp, wrong, wrong)
    changed = wrong.copy()
    changed[0, 4, 1], changed[0, 1, 1] = 200, 0
    b = PixelCounts(tp, changed, wrong)
    found = compare(a, b, images=list("uvwxyz"), at_most=2)
    assert [image.image for image in found.most_different] == ["y", "v"]
    assert found.most_different[0].a == pytest.approx(200 / 220)
    assert found.most_different[0].difference > 0 > found.most_different[1].difference


def test_different_splits_cannot_be_compared() -> None:
    a, _ = pair(np.random.default_rng(0), 10)
    b, _ = pair(np.random.default_rng(0), 12)
    with pytest.raises(ValueError, match="images: left has 10, right has 12; evaluate both on"):
        compare(a, b, names=("left", "right"))
    with pytest.raises(ValueError, match="images: 1 names for 10 images"):
        compare(a, a, images=["x"])


# groups and seeds: what is claimed of what ------------------------------------------------------


def test_groups_are_resampled_whole() -> None:
    """A set of copies knows no more than one of each: the cluster bootstrap sees through it."""
    a, b = pair(np.random.default_rng(3), 12, gap=0.3)
    alone = compare(a, b, of_models=True)
    groups = [str(image) for image in range(12) for _ in range(16)]
    copies = [
        PixelCounts(
            *(getattr(side, k).repeat(16, axis=1) for k in ("tp", "fp", "fn")), groups=groups
        )
        for side in (a, b)
    ]
    found = compare(*copies, of_models=True)
    assert found.sample == Sample(192, 12)
    assert "192 images of 12 groups, 1 seed each" in found.line
    for name in ("dice", "miou", "dice_per_image"):
        ours, once = found.differences[name].interval, alone.differences[name].interval
        assert (ours.low, ours.high) == pytest.approx((once.low, once.high), rel=0.05)
    as_images = compare(*(PixelCounts(c.tp, c.fp, c.fn) for c in copies), of_models=True)
    assert as_images.interval.standard_error < found.interval.standard_error / 3


@pytest.mark.parametrize("seeds", [1, 3])
def test_equals_that_suit_other_cars_are_called_better_by_image_and_not_by_car(seeds: int) -> None:
    random = np.random.default_rng(17)
    by_car = by_image = held = 0
    for run in range(150):
        sides = pair(random, 8 * 16, seeds=seeds, views=16, taste=0.3)
        bare = [PixelCounts(side.tp, side.fp, side.fn) for side in sides]
        asked = {"scores": (), "resamples": 200, "seed": run, "of_models": seeds == 1}
        found = compare(*sides, **asked)  # type: ignore[arg-type]
        by_car += found.distinguishable
        held += found.interval.low <= 0 <= found.interval.high
        by_image += compare(*bare, **asked).distinguishable  # type: ignore[arg-type]
    # 5 % of 150, and three standard errors of that.
    assert by_car / 150 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)
    assert held / 150 >= 0.9
    assert by_image / 150 > 0.3


def test_groups_of_one_image_each_are_images() -> None:
    a, b = pair(np.random.default_rng(3), 20, gap=0.3, views=1)
    found = compare(a, b)
    assert found.sample == Sample(20, 20) and "n = 20 images, 1 seed each" in found.sentence
    assert found.notes == ()
    unknown = compare(*(PixelCounts(side.tp, side.fp, side.fn) for side in (a, b)))
    assert unknown.interval.low == found.interval.low
    assert unknown.notes == ("groups unknown: images are taken for independent",)


@pytest.mark.parametrize(
    ("seeds", "models"), [((1, 1), "these two models"), ((1, 3), "these models")]
)
@pytest.mark.parametrize(("gap", "differ"), [(1.0, "differ"), (0.0, "do not differ measurably")])
def test_one_seed_says_nothing_of_a_configuration(
    seeds: tuple[int, int], models: str, gap: float, differ: str
) -> None:
    sides = pair(np.random.default_rng(1), 40, gap=gap, seeds=max(seeds))
    cut = [PixelCounts(s.tp[:n], s.fp[:n], s.fn[:n]) for s, n in zip(sides, seeds, strict=True)]
    found = compare(*cut)
    nothing = "of the configurations nothing is known: repeat with --seeds 3"
    assert found.verdict == f"{models} {differ} on these images; {nothing}"
    for said in (found.sentence, found.line, found.better_first().sentence):
        assert not re.search(r"better|worse|distinguishable|p [=<]", said)
        assert said.endswith(nothing) and f"{models} {differ}" in said and "95% interval" in said
    of_models = compare(*cut, of_models=True)
    assert re.search(r"p [=<]", of_models.sentence) and nothing not in of_models.sentence
    assert any("about these two models" in note for note in of_models.notes)


@given(st.integers(1, 6), st.integers(5, 12), st.integers(1, 3), st.integers(0, 2**16))
def test_a_score_is_the_same_however_it_is_grouped(
    views: int, groups: int, seeds: int, seed: int
) -> None:
    counted = counts(np.random.default_rng(seed), views * groups, seeds)
    names = [f"g{image % groups}" for image in range(views * groups)]
    grouped = PixelCounts(counted.tp, counted.fp, counted.fn, groups=names)
    for name in comparable():
        alone, ours = ratio_of(name, counted), ratio_of(name, grouped)
        np.testing.assert_allclose(ours.of_all(), alone.of_all(), rtol=1e-12)
        assert ours.units == groups
        assert 1 <= ours.effective_units <= groups + 1e-9
        np.testing.assert_allclose(ours.influence().mean(axis=1), 0, atol=1e-9)


# more than two ----------------------------------------------------------------------------------


def test_holm_by_hand() -> None:
    # Sorted .005 .01 .03 .04 times 4 3 2 1 = .02 .03 .06 .04, none below the one before.
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.5, 0.6]), [1.0, 1.0])
    np.testing.assert_allclose(holm([0.01, np.nan, 0.02]), [0.02, np.nan, 0.02])
    assert holm([]).size == 0


def test_every_pair_is_compared_and_corrected() -> None:
    random = np.random.default_rng(8)
    a, b = pair(random, 40, gap=0.8)
    c = PixelCounts(a.tp[:, ::1], a.fp, a.fn)
    found = compare_all({"one": a, "two": b, "three": c}, of_models=True)
    assert [(pair.a, pair.b) for pair in found] == [
        ("one", "two"),
        ("one", "three"),
        ("two", "three"),
    ]
    assert [pair.verdict.split(" with")[0] for pair in found] == [
        "B better",
        "not distinguishable",
        "A better",
    ]
    assert all(pair.comparisons == 3 for pair in found)
    assert all(pair.adjusted_p_value >= pair.p_value for pair in found)
    assert "Holm over 3" in found[0].sentence
    with pytest.raises(ValueError, match="needs two"):
        compare_all({"one": a})


def test_holm_can_take_a_verdict_back() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        a, b = pair(random, 20, gap=0.15)
        if 0.02 < compare(a, b, scores=(), resamples=500).p_value < 0.05:
            break
    others = {f"copy {number}": PixelCounts(a.tp, a.fp, a.fn) for number in range(3)}
    found = compare_all({"a": a, "b": b, **others}, scores=(), resamples=500)
    first = found[0]
    assert first.p_value < 0.05 < first.adjusted_p_value
    assert not first.distinguishable


def test_json_holds_everything() -> None:
    a, b = pair(np.random.default_rng(0), 10, seeds=2)
    value = json.loads(json.dumps(compare(a, b).to_json(), allow_nan=False))
    assert value["verdict"] and value["sentence"]
    assert value["differences"]["dice"]["interval"]["resamples"] == 10_000
    assert (value["images"], value["groups"], value["of_models"]) == (10, None, False)
    assert {"image", "a", "b", "difference"} == set(value["most_different"][0])


def nowhere(seeds: int, images: int = 10, of_class: int = 1) -> PixelCounts:
    """Return counts of which one class is in no target and in no prediction."""
    sizes = np.random.default_rng(seeds).integers(
        1, 100, (3, seeds, images, 3 if of_class > 1 else 2)
    )
    sizes[..., of_class] = 0
    return PixelCounts(*sizes)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("of_models", [False, True])
@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize(("score", "of_class"), [("dice", 1), ("dice_per_image", 1), ("iou/2", 2)])
def test_of_a_score_that_is_undefined_nothing_is_told(
    score: str, of_class: int, seeds: int, of_models: bool
) -> None:
    side = nowhere(seeds, of_class=of_class)
    found = compare(side, side, score=score, of_models=of_models, resamples=200)
    claim = f"nothing can be told: {score} is undefined on these images"
    assert found.verdict == claim
    for said in (found.sentence, found.line, found.better_first().sentence):
        assert claim in said and "n = 10 images" in said
        assert not re.search(r"nan|p [=<]|interval|configurations|better", said)
    assert not found.is_open and found.plans() == [] and found.notes == ()
    value = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert value["p_value"] is None


def test_json_has_a_p_value_where_the_verdict_has_one() -> None:
    a, b = pair(np.random.default_rng(0), 10)
    for of_models in (False, True):
        value = compare(a, b, of_models=of_models, resamples=200).to_json()
        kept = [value["p_value"], value["adjusted_p_value"]]
        kept += [of["interval"]["p_value"] for of in value["differences"].values()]
        assert [p is not None for p in kept] == [of_models] * len(kept)


@pytest.mark.parametrize(("images", "views", "unit"), [(1, 1, "images"), (16, 16, "groups")])
def test_one_unit_is_told_in_words_that_agree(images: int, views: int, unit: str) -> None:
    sides = pair(np.random.default_rng(0), images, views=views)
    found = compare(*sides, of_models=True, resamples=200)
    assert not any("turn it round" in note for note in found.notes)
    assert f"fewer than 5 {unit} are too few for any verdict; validate on more" in found.notes
    assert found.plans()[0].endswith(f"cannot be planned for with 1 {unit[:-1]}")


def test_nothing_is_planned_from_what_can_tell_nothing() -> None:
    few = compare(*pair(np.random.default_rng(0), 4, seeds=3), resamples=200)
    side = pair(np.random.default_rng(0), 4, seeds=3)[0]
    for found in (few, compare(side, side, resamples=200)):
        assert not any("is told with what there is" in plan for plan in found.plans())
        assert not any("on these 4 images" in plan for plan in found.plans())

"""How many seeds and groups would tell a difference, from the variance of what was compared."""

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests.trainer.analysis.simulated import pair
from trainer.analysis.bootstrap import Shares
from trainer.analysis.comparison import compare
from trainer.analysis.planning import needed, smallest_told

ONE_SEED = Shares(units=20, effective_units=20.0, seeds=1, by_units=1e-4)
SEEDS = Shares(units=20, effective_units=20.0, seeds=3, by_units=1e-4, by_seeds=4e-5, by_both=1e-5)


@pytest.mark.parametrize("units", [8, 20, 200])
def test_the_smallest_difference_told_has_a_power_of_80_percent(units: int) -> None:
    told = smallest_told(ONE_SEED, units=units, seeds=1)
    error = np.sqrt(1e-4 * 20 / units)
    quantile = stats.t.ppf(0.975, units - 1)
    power = stats.nct.sf(quantile, units - 1, told / error)
    assert power == pytest.approx(0.8, abs=0.02)


def test_parts_shrink_with_their_own_number_and_what_both_hold_with_both() -> None:
    # Of 1e-4 over units 9e-5 are theirs alone, of 4e-5 over seeds 3e-5.
    many_seeds = smallest_told(SEEDS, units=20, seeds=3_000_000)
    assert many_seeds == pytest.approx((2.093 + 0.861) * np.sqrt(9e-5), rel=1e-3)
    many_units = smallest_told(SEEDS, units=2_000_000, seeds=3)
    assert many_units == pytest.approx((2.776 + 0.941) * np.sqrt(3e-5), rel=1e-3)
    assert smallest_told(SEEDS, units=2_000_000, seeds=3_000_000) < 1e-4


parts = st.floats(1e-6, 1e-3)


@given(parts, parts, st.floats(0, 1), st.sampled_from([0.005, 0.01, 0.05]))
def test_what_is_said_to_be_needed_is_enough_and_a_little_less_is_not(
    by_units: float, by_seeds: float, both: float, difference: float
) -> None:
    shares = replace(
        SEEDS, by_units=by_units, by_seeds=by_seeds, by_both=both * min(by_units, by_seeds)
    )
    said = needed(shares, difference, unit="groups")
    for units, seeds, less in ways(said):
        assert smallest_told(shares, units=units, seeds=seeds) <= difference
        assert smallest_told(shares, units=less[0], seeds=less[1]) > difference


def ways(said: str) -> Iterator[tuple[int, int, tuple[float, int]]]:
    """Return units and seeds of each way that a plan names, and a little less of one of them."""
    for seeds in re.findall(r"(\d+) seeds each on these", said):
        if int(seeds) > 2:
            yield 20, int(seeds), (20, int(seeds) - 1)
    for units in re.findall(r"(\d+) groups with 3 seeds", said):
        if int(units) > 5:
            yield int(units), 3, (int(units) / 1.06 - 1, 3)
    for seeds, units in re.findall(r"(\d+) seeds each and (\d+) groups", said):
        yield int(units), int(seeds), (20, int(seeds))


@pytest.mark.parametrize(
    ("shares", "difference", "said"),
    [
        (SEEDS, 0.03, "seeds each on these 20 groups, or 2. groups with 3 seeds each"),
        (SEEDS, 0.01, r"takes \d+ seeds each and \d+ groups \(four times in five\)$"),
        (replace(SEEDS, by_seeds=1e-5), 0.01, r"of 0.01 takes \d+ groups with 3 seeds each \("),
        (SEEDS, 0.2, "a difference of 0.2 is told with what there is"),
        (ONE_SEED, 0.01, r"between two such models takes \d+ groups .* from two seeds a side on"),
        (replace(ONE_SEED, by_units=float("nan")), 0.01, "cannot be planned for with 20 groups"),
    ],
)
def test_the_plan_in_words(shares: Shares, difference: float, said: str) -> None:
    assert re.search(said, needed(shares, difference, unit="groups"))


def test_the_plan_of_a_comparison_comes_true() -> None:
    """Where 0.01 is said to take so many images, so many tell it more often than not."""
    random = np.random.default_rng(2)
    few = compare(*pair(random, 12, gap=0.1), scores=(), resamples=300, of_models=True)
    (said,) = [plan for plan in few.plans() if "0.01" in plan]
    images = int(said.split("takes ")[1].split()[0])
    assert 12 < images < 2000
    a, b = pair(random, 20_000, gap=0.1)
    truth = abs(compare(a, b, scores=(), resamples=100, of_models=True).interval.value)
    told = [
        compare(
            *pair(random, round(images * (0.01 / truth) ** 2), gap=0.1), scores=(), resamples=200
        )
        for _ in range(40)
    ]
    assert np.mean([found.distinguishable for found in told]) > 0.5


def test_what_no_number_of_groups_tells_is_not_put_down_to_their_number() -> None:
    """Seeds that differ by far more than what is asked about."""
    shares = replace(SEEDS, by_seeds=0.02, by_both=1e-5)
    said = needed(shares, 0.005, unit="groups")
    assert "0.005 takes more than 50 seeds each, even with 100000 groups" in said
    assert not list(ways(said))

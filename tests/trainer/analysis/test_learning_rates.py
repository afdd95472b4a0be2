"""What a range test suggests, on curves whose best rate is known, and where nothing is to find."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.analysis.learning_rates import has_diverged, suggest

Array = np.ndarray


def rates(steps: int = 100) -> Array:
    return np.geomspace(1e-7, 10, steps)


def falling(steps: int, *, at: float, lowest: float) -> Array:
    """Fall by a sigmoid about the decade ``at``, and rise from the decade ``lowest`` on."""
    decades = np.log10(rates(steps))
    fall = 0.15 + 0.55 / (1 + 10 ** (3 * (decades - at)))
    return fall + 3 * np.maximum(0, decades - lowest) ** 2


def noisy(losses: Array, share: float, seed: int) -> Array:
    draws = np.random.default_rng(seed).standard_normal(losses.size)
    return np.asarray(losses * (1 + share * draws))


@given(
    st.integers(50, 200), st.floats(-5, -3), st.floats(1, 2), st.floats(0, 0.05), st.integers(0, 99)
)
def test_the_steepest_and_the_lowest_place_are_found(
    steps: int, at: float, width: float, share: float, seed: int
) -> None:
    losses = noisy(falling(steps, at=at, lowest=at + width), share, seed)
    found = suggest(rates(steps), losses)
    assert found.steepest is not None and found.below_minimum is not None and not found.note
    assert abs(np.log10(found.steepest) - at) < 0.5
    # Between the foot of the fall and where the rise has made up for it.
    assert at - 0.5 < np.log10(found.below_minimum) + 1 < at + width + 0.5


@pytest.mark.parametrize("steps", [30, 60, 100, 200])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.3])
@pytest.mark.parametrize("rises", [False, True])
def test_noise_alone_suggests_nothing(steps: int, share: float, rises: bool) -> None:
    level = 0.7 * (1 + (rates(steps) if rises else np.zeros(steps)))
    found = [suggest(rates(steps), noisy(level, share, seed)) for seed in range(200)]
    unknown = [f for f in found if f.steepest is None and f.below_minimum is None]
    assert len(unknown) >= 0.97 * len(found)
    assert all("nowhere falls by more than its noise" in f.note for f in unknown)


def test_a_loss_that_still_falls_at_the_highest_rate_has_no_minimum() -> None:
    found = suggest(rates(), falling(100, at=0.5, lowest=5))
    assert found.steepest == pytest.approx(10**0.5, rel=0.3)
    assert found.below_minimum is None and found.note.endswith("end higher")


@given(st.floats(1e-6, 1e6))
def test_a_constant_suggests_nothing(level: float) -> None:
    assert suggest(rates(), np.full(100, level)).steepest is None


def test_a_loss_that_is_no_number_is_told() -> None:
    broken = suggest(rates()[:12], np.array([0.7] * 3 + [np.nan] * 9))
    assert broken.steepest is None and "finite at 3 rates alone" in broken.note


def test_training_has_diverged_where_its_loss_is_no_number_or_four_times_its_lowest() -> None:
    assert not has_diverged([])
    assert has_diverged([0.7, float("nan")]) and has_diverged([float("inf")])
    calm = [0.5] * 10
    assert not has_diverged(calm)
    assert not has_diverged([*calm, 5.0])  # One step alone is noise.
    assert has_diverged([*calm, 5.0, 5.0])

import numpy as np
import pytest
from scipy import integrate, stats

from trainer.analysis.selection import best_of_equals


@pytest.mark.parametrize("number", [1, 2, 5, 12, 40, 200])
def test_the_best_of_equals_is_the_expected_largest_of_normal_values(number: int) -> None:
    """The mean of x under the density n f(x) F(x) ** (n - 1), by quadrature."""

    def share(x: float) -> float:
        return float(x * number * stats.norm.pdf(x) * stats.norm.cdf(x) ** (number - 1))

    expected, _ = integrate.quad(share, -9, 9)
    assert best_of_equals(number) == pytest.approx(expected, abs=0.01)
    drawn = np.random.default_rng(number).normal(size=(20_000, number)).max(axis=1)
    assert best_of_equals(number) == pytest.approx(drawn.mean(), abs=0.03)


def test_the_best_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="number: 0 must be at least 1"):
        best_of_equals(0)

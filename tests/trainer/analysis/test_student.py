import pytest
from scipy import stats

from trainer.analysis import student


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 8, 9, 30, 99, 1000])
def test_against_scipy(freedom: int) -> None:
    for t in (0.0, 0.3, 1.0, 2.2, -2.2, 8.0):
        expected = 2 * stats.t.sf(abs(t), freedom)
        assert student.two_sided_p(t, freedom) == pytest.approx(expected, abs=1e-12)
    for level in (0.5, 0.9, 0.95, 0.99):
        expected = stats.t.ppf((1 + level) / 2, freedom)
        assert student.quantile(level, freedom) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("freedom", [1.3, 2.5, 3.9, 7.2, 40.5])
def test_between_whole_degrees_of_freedom(freedom: float) -> None:
    for t in (0.3, 1.0, 2.2, 8.0):
        expected = 2 * stats.t.sf(t, freedom)
        assert student.two_sided_p(t, freedom) == pytest.approx(expected, abs=0.004)
    expected = stats.t.ppf(0.975, freedom)
    tolerance = 0.03 if freedom > 2 else 0.07
    assert student.quantile(0.95, freedom) == pytest.approx(expected, rel=tolerance)


def test_many_degrees_of_freedom_are_normal() -> None:
    assert student.quantile(0.95, 5000) == pytest.approx(stats.t.ppf(0.975, 5000), rel=2e-3)


def test_the_ends() -> None:
    assert student.two_sided_p(float("inf"), 3) == 0
    assert student.two_sided_p(float("nan"), 3) != student.two_sided_p(float("nan"), 3)

"""Student's t distribution, which corrects an interval for how little it rests on."""

from functools import cache
from math import atan, cos, erfc, inf, pi, sin, sqrt

LARGE = 1000
"""Degrees of freedom from which the normal distribution stands in: 0.1 % apart at 95 %."""


def two_sided_p(t: float, degrees_of_freedom: float) -> float:
    """Return the probability of a value at least as far from 0 as ``t``.

    Exact for whole degrees of freedom of at least 1; between two of them it is interpolated in
    their reciprocals, which is right to 0.004.
    """
    below = int(degrees_of_freedom)
    p = _two_sided_p(t, below)
    if below == degrees_of_freedom:
        return p
    share = (1 / below - 1 / degrees_of_freedom) / (1 / below - 1 / (below + 1))
    return (1 - share) * p + share * _two_sided_p(t, below + 1)


def _two_sided_p(t: float, degrees_of_freedom: int) -> float:
    """Abramowitz and Stegun 26.7.3 (odd) and 26.7.4 (even)."""
    if t != t:
        return float("nan")
    t = abs(t)
    if degrees_of_freedom > LARGE:
        return erfc(t / sqrt(2))
    if t == inf:
        return 0.0
    angle = atan(t / sqrt(degrees_of_freedom))
    odd = degrees_of_freedom % 2
    total, term = 0.0, cos(angle) if odd else 1.0
    for step in range(2 + odd, degrees_of_freedom + 1, 2):
        total += term
        term *= cos(angle) ** 2 * (step - 1) / step
    inside = 2 / pi * (angle + sin(angle) * total) if odd else sin(angle) * total
    return min(1.0, max(0.0, 1 - inside))


@cache
def quantile(level: float, degrees_of_freedom: float) -> float:
    """Return t such that a share ``level`` of the distribution lies within ±t."""
    low, high = 0.0, 1.0
    while two_sided_p(high, degrees_of_freedom) > 1 - level:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        if two_sided_p(middle, degrees_of_freedom) > 1 - level:
            low = middle
        else:
            high = middle
    return (low + high) / 2

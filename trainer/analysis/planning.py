"""Plan an experiment: how many seeds and groups of images would tell a difference.

From the parts of the variance of a comparison that was made, that of one with other numbers is
known: what varies from unit to unit shrinks with their number, what varies from seed to seed with
that of seeds, and what is particular to both with the product.
"""

import numpy as np
from numpy.typing import ArrayLike

from trainer.analysis.bootstrap import FEWEST_UNITS, Shares, total_variance
from trainer.analysis.scores import Floats
from trainer.wording import counted

POWER = 0.8
"""Chance to tell the difference where there is one."""
LEVEL = 0.95
SEEDS = np.arange(2, 51)
UNITS = np.unique(np.geomspace(FEWEST_UNITS, 100_000, 200).round())
"""The numbers that are thought of: those of units lie some 5 % apart."""


def smallest_told(shares: Shares, *, units: ArrayLike, seeds: ArrayLike) -> Floats:
    """Return the true difference that is told four times in five with so many units and seeds.

    It is (t of the level + t of the power) standard errors, with the degrees of freedom that
    Satterthwaite's rule gives. ``shares`` are those of a comparison made with other numbers;
    without several seeds in it, ``seeds`` plays no part.
    """
    # Late, as in `bootstrap`: it takes longer to import than a page to be drawn.
    from scipy import stats

    more, seeds = np.asarray(units) / shares.units, np.asarray(seeds)
    parts = [(shares.by_units / more, shares.effective_units * more - 1)]
    variance = parts[0][0]
    if np.isfinite(shares.by_seeds):
        both = shares.by_both * shares.seeds / (more * seeds)
        of_units = max(shares.by_units - shares.by_both, 0) / more + both
        of_seeds = max(shares.by_seeds - shares.by_both, 0) * shares.seeds / seeds + both
        parts = [(of_units, parts[0][1]), (of_seeds, 2 * (seeds - 1))]
        variance = total_variance(of_units, of_seeds, both)
    spread = sum(share**2 / np.maximum(freedom, 1) for share, freedom in parts)
    freedom = np.maximum(1, variance**2 / np.maximum(spread, 1e-300))
    quantiles = stats.t.ppf((1 + LEVEL) / 2, freedom) + stats.t.ppf(POWER, freedom)
    return np.asarray(quantiles * np.sqrt(variance))


def needed(shares: Shares, difference: float, *, unit: str) -> str:
    """Return in words how many seeds and units would tell ``difference``; ``unit`` is what is many.

    More seeds on the same units, more units with the same seeds, or, where neither alone would do,
    the pair of numbers with the smallest product.
    """
    start = f"a difference of {difference:g}"
    if not np.isfinite(shares.by_units):
        return f"{start} cannot be planned for with {counted(shares.units, unit[:-1])}"
    one_seed = not np.isfinite(shares.by_seeds)
    between = " between two such models" if one_seed else ""
    known = "; what configurations take is known from two seeds a side on" if one_seed else ""

    def told(units: ArrayLike, seeds: ArrayLike) -> np.ndarray:
        return smallest_told(shares, units=units, seeds=seeds) <= difference

    with_units = UNITS[told(UNITS, shares.seeds)]
    # Fewer units than tell anything are not made good by seeds.
    seeds_alone = not one_seed and shares.units >= FEWEST_UNITS
    with_seeds = SEEDS[told(shares.units, SEEDS)] if seeds_alone else []
    ways = [f"{seeds} seeds each on these {shares.units} {unit}" for seeds in with_seeds[:1]]
    same = "" if one_seed else f" with {shares.seeds} seeds each"
    ways += [f"{units:.0f} {unit}{same}" for units in with_units[:1]]
    if shares.units >= FEWEST_UNITS and told(shares.units, shares.seeds):
        takes = "is told with what there is"
    elif ways:
        takes = f"takes {', or '.join(ways)}"
    else:
        product = np.where(told(UNITS[:, None], SEEDS), UNITS[:, None] * SEEDS, np.inf)
        at_units, at_seeds = np.unravel_index(product.argmin(), product.shape)
        takes = f"takes {SEEDS[at_seeds]} seeds each and {UNITS[at_units]:.0f} {unit}"
        if one_seed:
            takes = f"takes more than {UNITS[-1]:.0f} {unit}"
        elif not np.isfinite(product.min()):
            takes = f"takes more than {SEEDS[-1]} seeds each, even with {UNITS[-1]:.0f} {unit}"
    return f"{start}{between} {takes} (four times in five){known}"

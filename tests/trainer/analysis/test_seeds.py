"""What repeats with other seeds allow to conclude, in words."""

import re

import numpy as np
import pytest
from scipy import stats

from trainer.analysis.seeds import conclusion


@pytest.mark.parametrize("seeds", [2, 3, 5, 12])
def test_mean_deviation_and_what_is_known_of_the_mean(seeds: int) -> None:
    scores = np.random.default_rng(seeds).normal(0.8, 0.02, seeds)
    spread, mean = conclusion([*scores, float("nan")])
    shown = re.match(r"([\d.]+) ± ([\d.]+) \(mean ± standard deviation, n = (\d+); ", spread)
    assert shown is not None
    deviation = scores.std(ddof=1)
    assert float(shown[2]) == pytest.approx(deviation, rel=0.05)
    assert float(shown[1]) == pytest.approx(scores.mean(), abs=0.05 * deviation)
    assert int(shown[3]) == seeds
    assert spread.endswith(f"; {scores.min():.4f} to {scores.max():.4f})")
    low, high = stats.t.interval(0.95, seeds - 1, scores.mean(), stats.sem(scores))
    known = re.match(r"over all seeds is known to ± ([\d.]+) \(95 %\)", mean)
    assert known is not None
    assert float(known[1]) == pytest.approx((high - low) / 2, rel=0.05)
    assert mean.endswith("two tell little, --seeds 5 more") == (seeds == 2)


@pytest.mark.parametrize("scores", [[], [0.8], [0.8, float("nan")]])
def test_one_score_tells_no_spread(scores: list[float]) -> None:
    (line,) = conclusion(scores)
    assert "nothing can be said of their spread" in line


def test_equal_scores_have_no_spread() -> None:
    assert conclusion([0.5, 0.5, 0.5])[0].startswith("0.5000 ± 0 (")

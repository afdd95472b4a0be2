"""What a range test of learning rates tells (Smith 2017, arXiv 1506.01186): numpy and scipy only.

The losses of a test are those of single steps, and noisy. They are smoothed on both sides, over a
third of a decade of the rate: an average of what came before would move the curve to the right.
What falls by no more than the smoothed noise does falls by chance, and suggests nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.analysis.scores import Floats

KIND, PICTURE = "lr-find", "lr-find.png"
"""What kind of run the store has of a test, and the file with its curve."""
DECADE_SHARE = 1 / 3
LEAST = 10
"""Fewer steps than this are no curve."""
RECENT = 5
DIVERGED = 4.0
"""The test ends where the mean of the recent losses is this many times its lowest, as fastai's."""
CLIPPED = 2.0
"""Losses above this many times the beginning say that training has diverged, and no more."""
SURE = 7.0
"""A descent is of more than this many standard deviations of the smoothed noise."""


@dataclass(frozen=True, kw_only=True)
class Suggested:
    """Learning rates that a test suggests, None where it does not; ``note`` says why."""

    steepest: float | None = None
    """Where the loss falls fastest over the logarithm of the rate."""
    below_minimum: float | None = None
    """A tenth of the rate at which the loss is lowest."""
    note: str = ""


def has_diverged(losses: Sequence[float]) -> bool:
    """Return whether the last of the losses says that higher rates need not be tried."""
    if not losses or not math.isfinite(losses[-1]):
        return bool(losses)
    if len(losses) < 2 * RECENT:
        return False
    means = np.convolve(losses, np.full(RECENT, 1 / RECENT), mode="valid")
    return bool(means[-1] > DIVERGED * means.min())


def smoothed(rates: Floats, losses: Floats) -> Floats:
    """Return the losses ``(steps,)`` as a smooth curve over the logarithm of the rates."""
    from scipy.ndimage import gaussian_filter1d

    kept = np.minimum(losses, limit(losses))
    curve: Floats = gaussian_filter1d(kept, _width(rates), mode="reflect")
    return curve


def limit(losses: Floats) -> float:
    """Return up to where a loss says more than that training has diverged."""
    return float(CLIPPED * losses[:RECENT].mean())


def suggest(rates: Floats, losses: Floats) -> Suggested:
    """Return what a test suggests, of losses ``(steps,)`` at rates that grow evenly by a factor."""
    finite = np.isfinite(losses)
    if finite.sum() < LEAST:
        few = f"the loss was finite at {finite.sum()} rates alone; begin lower, or take more steps"
        return Suggested(note=few)
    rates, losses = rates[finite], losses[finite]
    curve = smoothed(rates, losses)
    lowest = int(curve.argmin())
    start = int(curve[: lowest + 1].argmax())
    # Second differences know nothing of a trend. 0.6745 is the median of |z|, √6 their spread.
    calm = losses[losses <= limit(losses)]
    spread = float(np.median(np.abs(np.diff(calm, 2)))) / (0.6745 * math.sqrt(6))
    noise = spread / math.sqrt(2 * math.sqrt(math.pi) * _width(rates))
    if not curve[start] - curve[lowest] > SURE * noise + 1e-9 * abs(curve[start]):
        return Suggested(
            note=f"the loss nowhere falls by more than its noise from {rates[0]:.2g} to "
            f"{rates[-1]:.2g}; take more steps, or other bounds"
        )
    slope = np.gradient(curve[start : lowest + 1], np.log(rates[start : lowest + 1]))
    steepest = float(rates[start + int(slope.argmin())])
    if lowest + _width(rates) >= len(rates):
        ends = f"the loss still falls at {rates[-1]:.2g}, so where it is lowest is not known"
        return Suggested(steepest=steepest, note=f"{ends}; end higher")
    return Suggested(steepest=steepest, below_minimum=float(rates[lowest]) / 10)


def _width(rates: Floats) -> float:
    """Return the standard deviation of the smoothing, in steps: of a few in a narrow test."""
    return min(DECADE_SHARE / float(np.log10(rates[1] / rates[0])), rates.size / 8)

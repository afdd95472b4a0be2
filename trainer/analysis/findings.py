"""What a diagnosis is made from, and what it says."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainer.analysis.fallen import PerImageDice
from trainer.analysis.history import History, is_finite, newest

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Severity = Literal["problem", "warning", "note"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One rule that a run's curves meet, with what it rests on and what may help."""

    rule: str
    severity: Severity
    """``problem``: the result is not usable; ``warning``: doubt it; ``note``: worth knowing."""
    message: str
    """One sentence with the numbers in it, and after a colon the suggestion."""
    threshold: str
    """The condition that was met, as people read it."""
    suggestion: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """Plain values by name: numbers, texts, and lists of them."""
    epochs: tuple[int, ...] = ()
    """Epochs to look at, ascending."""

    def to_json(self) -> dict[str, Any]:
        """Return plain values that JSON can hold; a number that is not finite becomes None."""
        values: dict[str, Any] = plain(asdict(self))
        return values


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """A run's curves and what else the rules want to know; what is unknown stays None."""

    curves: Mapping[str, History]
    metric: str = "val/dice"
    """The score that the rules judge by; its ``train/`` twin is the training score."""
    num_val_images: int | None = None
    outcome: str | None = None
    patience: int | None = None
    target_foreground_share: float | None = None
    """Of the validation targets."""
    claimed_difference: float | None = None
    per_image: PerImageDice | None = None

    def history(self, name: str) -> History:
        """Return all that was logged of a metric; empty when it was not."""
        return self.curves.get(name, NOTHING)

    def curve(self, name: str) -> tuple[Ints, Floats]:
        """Return the epochs and finite values of one metric."""
        steps, values = self.history(name)
        finite = is_finite(values)
        return steps[finite], values[finite]

    def pair(self, first: str, second: str) -> tuple[Ints, Floats, Floats]:
        """Return the epochs at which both metrics are finite, and their values there."""
        first_steps, first_values = self.curve(first)
        second_steps, second_values = self.curve(second)
        both, in_first, in_second = np.intersect1d(
            first_steps, second_steps, assume_unique=True, return_indices=True
        )
        return both, first_values[in_first], second_values[in_second]

    def at(self, name: str, epoch: int) -> float:
        """Return a metric's value at one epoch, NaN where there is none."""
        steps, values = self.history(name)
        there = values[steps == epoch]
        return float(there[0]) if there.size else float("nan")


NOTHING = History(np.empty(0, dtype=np.int64), np.empty(0))


def as_histories(curves: Mapping[str, ArrayLike | History]) -> dict[str, History]:
    """Return each curve as a history with one row an epoch; a plain array starts at epoch 1."""
    return {
        name: newest(*curve)
        if isinstance(curve, History)
        else newest(np.arange(1, np.size(curve) + 1), curve)
        for name, curve in curves.items()
    }


def running_median(values: Floats) -> Floats:
    """Return the median of each epoch and its neighbours, so that one odd epoch counts little."""
    near = [values[max(0, at - 1) : at + 2] for at in range(values.size)]
    return np.array([np.median(window) for window in near])


def plain(value: Any) -> Any:
    """Return ``value`` as JSON can hold it: lists, plain numbers, None for what is not finite."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value

"""Turn a logged history into a curve: one finite value an epoch, in order."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

LAST_EPOCH = 2**53
"""Any 64-bit number may be a step; above this neither an axis nor a browser tells two apart."""


class History(NamedTuple):
    """What was logged of one metric, non-finite values included."""

    steps: NDArray[np.int64]
    values: NDArray[np.float64]


class Curve(NamedTuple):
    """A per-epoch curve and which of its epochs had to be left out."""

    steps: NDArray[np.int64]
    """Epochs, ascending, each once."""
    values: NDArray[np.float64]
    """The value of each epoch; all finite."""
    missing: NDArray[np.int64]
    """Epochs whose newest value was NaN or infinite, ascending."""


def newest(steps: ArrayLike, values: ArrayLike) -> History:
    """Return the newest row of each epoch, by epoch; both are ``(rows,)`` in the order logged.

    An epoch is logged twice after a resume; the newer row is what the run went on from. What was
    logged at a step that is no epoch, beyond `LAST_EPOCH`, is left out. Raises ``ValueError`` when
    the two differ in length.
    """
    epochs = np.asarray(steps, dtype=np.int64).ravel()
    levels = np.asarray(values, dtype=np.float64).ravel()
    if epochs.size != levels.size:
        raise ValueError(f"values: {levels.size} given for {epochs.size} steps; give one each")
    known = (epochs > -LAST_EPOCH) & (epochs < LAST_EPOCH)
    epochs, levels = epochs[known], levels[known]
    by_epoch, position = np.unique(epochs[::-1], return_index=True)
    return History(by_epoch, levels[::-1][position])


def clean(steps: ArrayLike, values: ArrayLike) -> Curve:
    """Return a logged history as a curve: its newest rows, non-finite ones named and left out.

    Both are ``(rows,)`` in the order they were logged. Raises ``ValueError`` when they differ in
    length.
    """
    history = newest(steps, values)
    finite = is_finite(history.values)
    return Curve(history.steps[finite], history.values[finite], history.steps[~finite])


# MLflow stores an infinity as the largest double, so a value of that size is one.
LARGEST = 1e300


def is_finite(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return where ``values`` holds a number; an infinity that a store has cut off is none."""
    return np.isfinite(values) & (np.abs(values) < LARGEST)

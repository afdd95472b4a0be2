"""What the figures of a sweep show, worked out before anything is drawn."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboard.store.cache import Curve
from sweeps.trials import COMPLETE, FAILED, PRUNED, RUNNING, Parameter, categories, numeric, shown

Floats = NDArray[np.float64]
REACH = 0.2
"""A place of a contour is drawn when a trial lies within this share of both axes' lengths."""
GRID = 48
JUDGED = (COMPLETE, PRUNED)


class Axis(NamedTuple):
    """A parameter as numbers: ``ticks`` are places with ``labels``, None where numbers do."""

    name: str
    values: Floats
    log: bool
    ticks: list[float] | None
    labels: list[str] | None


class Landscape(NamedTuple):
    """A score over two parameters; ``z`` is ``(len(y), len(x))``, NaN far from every trial."""

    x: list[Any]
    y: list[Any]
    z: Floats
    numbers: bool
    """Whether both axes are numbers; else ``x`` or ``y`` are categories."""


def best_so_far(values: pd.Series) -> pd.Series:
    """Return the highest value up to each trial that has one, by number; others are left out."""
    return values.sort_index().dropna().cummax()


def axis(trials: pd.DataFrame, parameter: Parameter) -> Axis:
    """Return a parameter's values as numbers ``(len(trials),)``; NaN where a trial has none.

    A category is its place among `trials.categories`; a logarithmic range its log10.
    """
    column = trials[parameter.column]
    if not numeric(trials, parameter):
        known = categories(trials, parameter)
        places = {value: float(place) for place, value in enumerate(known)}
        values = np.array([places.get(v, np.nan) for v in column], dtype=float)
        ticks = [float(place) for place in range(len(known))]
        return Axis(parameter.name, values, False, ticks, [str(v) for v in known])
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    finite = values[np.isfinite(values)]
    if not parameter.log or not finite.size or finite.min() <= 0:
        return Axis(parameter.name, values, False, None, None)
    logs = np.log10(values)
    ticks = _log_ticks(float(np.nanmin(logs)), float(np.nanmax(logs)))
    return Axis(parameter.name, logs, True, ticks, [f"{10**tick:.3g}" for tick in ticks])


def landscape(trials: pd.DataFrame, first: Parameter, second: Parameter, column: str) -> Landscape:
    """Return ``column`` of the complete trials over two parameters, interpolated between them.

    Inverse squared distance weights (Shepard 1968), distances as shares of the axes. Two
    categories have nothing between them: a place takes the trials of its own category alone.
    """
    shown = trials[(trials["state"] == COMPLETE) & trials[column].notna()]
    shown = shown.dropna(subset=[first.column, second.column])
    scores = shown[column].to_numpy(dtype=float)
    of_x, of_y = axis(shown, first), axis(shown, second)
    is_number = [numeric(shown, p) for p in (first, second)]
    places = [_places(a, n) for a, n in zip((of_x, of_y), is_number, strict=True)]
    grid_x, grid_y = np.meshgrid(*places)
    far = np.zeros((*grid_x.shape, len(shown)))
    near = np.ones(far.shape, dtype=bool)
    for grid, found, number in zip((grid_x, grid_y), (of_x, of_y), is_number, strict=True):
        length = np.ptp(found.values) if len(shown) else 0.0
        apart = np.abs(grid[..., None] - found.values) / (length or 1.0)
        near &= apart <= REACH if number else apart == 0
        far += apart**2
    weights = np.where(near, 1 / (far + 1e-6), 0.0)
    total = weights.sum(axis=-1)
    with np.errstate(invalid="ignore"):
        z = np.where(total > 0, (weights * scores).sum(axis=-1) / total, np.nan)
    x, y = (_shown_places(found, place) for found, place in zip((of_x, of_y), places, strict=True))
    return Landscape(x, y, z, all(is_number))


def pareto_front(trials: pd.DataFrame, cost: str, value: str = "value") -> NDArray[np.bool_]:
    """Return which trials no other beats: none has more ``value`` at no more ``cost``.

    ``(len(trials),)``; a trial without either number is on no front, of equals all are.
    """
    values = trials[value].to_numpy(dtype=float)
    costs = trials[cost].to_numpy(dtype=float)
    known = np.isfinite(values) & np.isfinite(costs)
    front: NDArray[np.bool_] = np.zeros(len(trials), dtype=bool)
    if not known.any():
        return front
    each, place = np.unique(costs[known], return_inverse=True)
    highest = np.full(each.size, -np.inf)
    np.maximum.at(highest, place, values[known])
    cheaper = np.concatenate([[-np.inf], np.maximum.accumulate(highest)[:-1]])
    front[known] = (values[known] == highest[place]) & (values[known] > cheaper[place])
    return front


def trial_curves(trials: pd.DataFrame, curves: Mapping[str, Curve]) -> dict[int, Curve]:
    """Return each trial's curve, its first run's; trials without a finite value are left out."""
    found: dict[int, Curve] = {}
    for number, run_ids in zip(trials.index.tolist(), trials["run_ids"], strict=True):
        curve = curves.get(run_ids[0]) if run_ids else None
        if curve is not None and np.isfinite(curve.values).any():
            found[number] = curve
    return found


def timeline(trials: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """Return ``state, begin, finish`` (UTC) of the trials that have begun; ``now`` ends the rest.

    A trial of which nobody knows the end (its process died) ends where it began.
    """
    begun = trials[trials["started"].notna()]
    finish = begun["ended"].mask(begun["ended"].isna() & (begun["state"] == RUNNING), now)
    finish = finish.fillna(begun["started"])
    return pd.DataFrame({"state": begun["state"], "begin": begun["started"], "finish": finish})


def hover(trials: pd.DataFrame, parameters: Sequence[Parameter], metric: str) -> list[str]:
    """Return what each trial says when it is pointed at: state, score, setting, reason."""
    texts = []
    for number, row in trials.to_dict("index").items():
        lines = [f"trial {number}, {row['state']}"]
        if np.isfinite(row["value"]):
            lines.append(f"{metric} {row['value']:.4f}")
        elif np.isfinite(row["reached"]):
            lines.append(f"{metric} {row['reached']:.4f} reached")
        setting = (f"{p.name} {shown(row[p.column])}" for p in parameters)
        lines += [line for line in setting if not line.endswith(" –")]
        if row["reason"] and row["state"] != COMPLETE:
            reason = " ".join(str(row["reason"]).split())
            lines.append(reason if len(reason) <= 90 else f"{reason[:89]}…")
        texts.append("\n".join(lines))
    return texts


def level(trials: pd.DataFrame) -> pd.Series:
    """Return where each trial stands on the score's axis: its value, else what it reached.

    Failed trials have neither: a score they reached was not one to be judged by.
    """
    reached = trials["reached"].where(trials["state"] != FAILED)
    return trials["value"].fillna(reached)


def _log_ticks(low: float, high: float) -> list[float]:
    """Return the log10 of the powers of ten in a range; of 1, 2, 5 times them where it is short."""
    exponents = range(int(np.floor(low)), int(np.ceil(high)) + 1)
    for steps in ((1,), (1, 2, 5)):
        found = [e + float(np.log10(step)) for e in exponents for step in steps]
        inside = [tick for tick in found if low <= tick <= high]
        if len(inside) >= 3:
            return inside
    return [low] if low == high else [low, high]


def _places(found: Axis, is_number: bool) -> Floats:
    if not is_number:
        return np.array(found.ticks, dtype=float)
    if not found.values.size:
        return np.zeros(0)
    return np.linspace(found.values.min(), found.values.max(), GRID)


def _shown_places(found: Axis, places: Floats) -> list[Any]:
    if found.log:
        return list(10**places)
    return list(places) if found.labels is None else list(found.labels)

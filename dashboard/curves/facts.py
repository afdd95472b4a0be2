"""What the figures of curves show, as plain data: smoothing, seed bands, buckets, dips, tables."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboard.store.cache import Curve
from trainer.analysis import history
from trainer.analysis.dips import Dip, deepest_fall, dips
from trainer.analysis.rules import UNSTABLE_DRAWDOWN
from trainer.analysis.score_table import is_share
from trainer.analysis.seeds import AcrossSeeds, across_seeds
from trainer.evaluation.results import BestEpoch
from trainer.palette import curve_style
from trainer.wording import counted

Axis = Literal["all", "top", "log", "distance from 1"]
DISTANCE: Axis = "distance from 1"
AXES: tuple[Axis, ...] = ("all", "top", "log", DISTANCE)

FRAMES = 60
"""Most epochs whose masks are sent to the browser at once."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

POINTS_DRAWN = 60_000
"""Above this many points in one figure, curves are drawn as the ends of buckets."""


@dataclass(frozen=True, kw_only=True)
class CurveInfo:
    """One curve as it is drawn; ``values`` finite, ``steps`` ascending."""

    run_id: str
    label: str
    colour: str
    dash: str
    steps: Ints
    values: Floats
    smooth: Floats | None
    """The exponential moving average, over the same steps; None when not asked for."""
    dips: tuple[Dip, ...]
    fall: Dip | None
    """The deepest fall, where it is large and none of the dips: among steep first epochs, say."""
    missing: Ints
    """Epochs whose value is no finite number: the line is broken there."""
    bucket: int
    """Epochs that share one lowest and one highest point; 1 when every epoch is drawn."""


def curve_infos(
    curves: Mapping[str, Curve],
    labels: Mapping[str, str],
    *,
    smoothing: float = 0.0,
    mark_dips: bool = True,
    higher_is_better: bool = True,
    points: int = POINTS_DRAWN,
) -> list[CurveInfo]:
    """Return what to draw of each run's curve, in the order given, which sets the colour.

    ``smoothing`` in [0, 1) is the weight of the past; the raw curve stays beside it. Dips are
    found on the full curve. When all curves together exceed ``points``, each is thinned to the
    lowest and the highest value of equal buckets, so that no dip is ever hidden.
    """
    total = sum(curve.values.size for curve in curves.values())
    share = points / total if total > points else 1.0
    infos = []
    for position, (run_id, curve) in enumerate(curves.items()):
        cleaned = history.clean(curve.steps, curve.values)
        colour, dash = curve_style(position)
        marked = _marks(cleaned, higher_is_better) if mark_dips else ((), None)
        smooth = smoothed(cleaned.values, smoothing) if smoothing > 0 else None
        kept, bucket = _drawn(cleaned.values, max(2, int(share * cleaned.values.size)))
        infos.append(
            CurveInfo(
                run_id=run_id,
                label=labels.get(run_id, run_id[:6]),
                colour=colour,
                dash=dash,
                steps=cleaned.steps[kept],
                values=cleaned.values[kept],
                smooth=None if smooth is None else smooth[kept],
                dips=marked[0],
                fall=marked[1],
                missing=cleaned.missing,
                bucket=bucket,
            )
        )
    return infos


def smoothed(values: Floats, weight: float) -> Floats:
    """Return the exponential moving average with ``weight`` on the past, bias-corrected."""
    if values.size == 0:
        return values
    return pd.Series(values).ewm(alpha=1 - weight, adjust=True).mean().to_numpy()


def drawn_badge(infos: Sequence[CurveInfo], axis: Axis = "all") -> str:
    """Return what the figure says about completeness, such as ``every epoch drawn``."""
    points = sum(info.values.size for info in infos)
    largest = max((info.bucket for info in infos), default=1)
    drawn = counted(points, "point")
    said = [f"every epoch drawn, {drawn}"]
    if largest > 1:
        said = [f"lowest and highest of every {largest} epochs drawn, {drawn}: no dip hidden"]
    if left_out := sum(info.missing.size for info in infos):
        said += [f"{left_out} not finite, where the line is broken"]
    levels = [drawn_levels(info.values, axis) for info in infos]
    if nowhere := sum(int(np.isnan(level).sum()) for level in levels):
        said += [f"{nowhere} not above 0, which have no place on this axis"]
    return "; ".join(said)


def drawn_levels(values: Floats, axis: Axis) -> Floats:
    """Return values as ``axis`` draws them; NaN for what has no place on it."""
    levels = 1 - values if axis == DISTANCE else values
    return np.where(levels > 0, levels, np.nan) if axis in ("log", DISTANCE) else levels


def axes(metric: str) -> tuple[Axis, ...]:
    """Return how the figure of a metric may be drawn; a score by its distance from 1, too."""
    return AXES if is_share(metric) else AXES[:-1]


@dataclass(frozen=True, kw_only=True)
class BandInfo:
    """Runs of one configuration: mean and spread over seeds at each epoch, all ``(epochs,)``."""

    label: str
    colour: str
    dash: str
    steps: Ints
    mean: Floats
    low: Floats
    high: Floats
    spread: AcrossSeeds
    run_ids: tuple[str, ...]


def seed_bands(
    curves: Mapping[str, Curve],
    groups: Mapping[str, str],
    labels: Mapping[str, str],
    *,
    higher_is_better: bool = True,
) -> list[BandInfo]:
    """Return one band per group: mean over its runs, and the lowest and highest of them.

    ``groups`` maps a run to its seed group; ``labels`` a group to its name. At an epoch that only
    some seeds reached, those count, and ``spread`` says how many.
    """
    members: dict[str, list[str]] = {}
    for run_id in curves:
        members.setdefault(groups.get(run_id) or run_id, []).append(run_id)
    bands = []
    for position, (group, run_ids) in enumerate(members.items()):
        table = epoch_table({run_id: curves[run_id] for run_id in run_ids})
        colour, dash = curve_style(position)
        values = table.to_numpy(dtype=float)
        bands.append(
            BandInfo(
                label=labels.get(group, group),
                colour=colour,
                dash=dash,
                steps=table.index.to_numpy(dtype=np.int64),
                mean=np.nanmean(values, axis=1) if values.size else np.empty(0),
                low=np.nanmin(values, axis=1) if values.size else np.empty(0),
                high=np.nanmax(values, axis=1) if values.size else np.empty(0),
                spread=across_seeds(values.T, higher_is_better=higher_is_better),
                run_ids=tuple(run_ids),
            )
        )
    return bands


def seed_table(bands: Sequence[BandInfo]) -> pd.DataFrame:
    """Return the spread of each configuration with repeats, at the last epoch that most reached.

    Columns: ``seeds``, ``epoch``, ``mean``, ``dispersion``, ``risk`` and ``risk_is``, what the
    risk stands for; the index is the label. A single seed has no spread and is left out.
    """
    rows = {}
    for band in bands:
        spread = band.spread
        if spread.seeds.max(initial=0) > 1:
            at = int(np.flatnonzero(spread.seeds == spread.seeds.max())[-1])
            rows[band.label] = {
                "seeds": spread.seeds[at],
                "epoch": band.steps[at],
                "mean": band.mean[at],
                "dispersion": spread.dispersion[at],
                "risk": spread.risk[at],
                "risk_is": "worst seed" if spread.risk_is_worst_seed[at] else "worst 5 %",
            }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("configuration")


def epoch_table(
    curves: Mapping[str, Curve], labels: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Return one row an epoch and one column a run: the tables that the reports made by hand.

    Epochs at which no run has a finite value are left out; a missing value is NaN.
    """
    columns = {}
    for run_id, curve in curves.items():
        cleaned = history.clean(curve.steps, curve.values)
        columns[run_id] = pd.Series(cleaned.values, index=cleaned.steps, dtype=float)
    table = pd.DataFrame(columns).sort_index() if columns else pd.DataFrame()
    table.index.name = "epoch"
    return table.rename(columns=dict(labels)) if labels else table


def configuration_labels(runs: pd.DataFrame, names: Sequence[str]) -> dict[str, str]:
    """Return for each run what tells it from the others: the parameters that differ, else its id.

    ``names`` are parameters without ``params.``. Runs that share all of them get the start of
    their id too, so that every label is unique.
    """
    described = {}
    runs = runs.assign(**{f"params.{n}": _shortened(runs[f"params.{n}"]) for n in names})
    for run_id, row in runs.iterrows():
        parts = [f"{n} {row[f'params.{n}']}" for n in names if isinstance(row[f"params.{n}"], str)]
        described[str(run_id)] = ", ".join(parts) or str(row["name"]) or "unnamed"
    counts = pd.Series(described).value_counts()
    return {r: d if counts[d] == 1 else f"{d} · {r[:6]}" for r, d in described.items()}


def epochs_to_show(
    epochs: Sequence[int], keep: Iterable[int] = (), at_most: int = FRAMES
) -> list[int]:
    """Return the epochs whose masks are shown: all, or evenly spread ones and those to keep."""
    if len(epochs) <= at_most:
        return list(epochs)
    wanted = set(keep) & set(epochs) | {epochs[0], epochs[-1]}
    spread = np.linspace(0, len(epochs) - 1, max(2, at_most - len(wanted))).round().astype(int)
    return sorted(wanted | {epochs[i] for i in spread})


def notable_epochs(curve: Curve, best: BestEpoch | None) -> set[int]:
    """Return the best epoch, and each dip with its neighbours: what a choice of epochs keeps."""
    cleaned = history.clean(curve.steps, curve.values)
    around = {
        dip.epoch + offset
        for dip in dips(cleaned.values, epochs=cleaned.steps)
        for offset in (-1, 0, 1)
    }
    return around if best is None else around | {best.epoch}


def _shortened(values: pd.Series) -> pd.Series:
    # A drawn learning rate has 17 digits; three will do unless two runs then read the same.
    numbers = pd.to_numeric(values, errors="coerce")
    short = values.where(numbers.isna(), numbers.map("{:.3g}".format))
    return short if short.nunique() == values.nunique() else values


def _marks(curve: history.Curve, higher_is_better: bool) -> tuple[tuple[Dip, ...], Dip | None]:
    """Return the dips of a curve, and its deepest fall where no rule but that of falls finds it."""
    found = dips(curve.values, epochs=curve.steps, higher_is_better=higher_is_better)
    fall = deepest_fall(curve.values, epochs=curve.steps) if higher_is_better else None
    if fall is None or fall.drawdown <= UNSTABLE_DRAWDOWN:
        return found, None
    return found, None if fall.epoch in {dip.epoch for dip in found} else fall


def _drawn(values: Floats, points: int) -> tuple[NDArray[np.intp], int]:
    if values.size <= points:
        return np.arange(values.size), 1
    buckets = np.array_split(np.arange(values.size), max(1, points // 2))
    kept = {int(b[values[b].argmin()]) for b in buckets}
    kept |= {int(b[values[b].argmax()]) for b in buckets}
    return np.array(sorted(kept)), max(b.size for b in buckets)

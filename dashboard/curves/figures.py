"""Draw curves over epochs, their dips, their smoothing and the bands over seeds."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from dashboard.curves.facts import (
    DISTANCE,
    Axis,
    BandInfo,
    CurveInfo,
    Floats,
    Ints,
    drawn_levels,
)
from dashboard.theme import DIP
from dashboard.ui.figure import empty, epoch_axis, escaped, styled
from trainer.analysis.dips import Dip
from trainer.palette import PALETTE

MANY = 40
"""Above this many curves those of one colour share a trace, which browsers draw far faster."""
TOP_SHARE = 0.25
POINTS_MARKED = 3000


def draw_curves(
    infos: Sequence[CurveInfo],
    *,
    metric: str,
    axis: Axis = "all",
    height: int = 440,
    legend: bool = True,
) -> go.Figure:
    """Draw one metric of several runs over epochs.

    Dips are ringed, a line is broken where a value is no number. With smoothing the raw curve
    stays, faint. ``axis`` may be logarithmic, of the values or of their distance from 1; ``top``
    zooms to where the curves end up, clicking twice shows all.
    """
    shown = [info for info in infos if info.values.size]
    if not shown:
        return empty(f"None of these runs has logged {metric}.")
    figure = go.Figure()
    if len(shown) > MANY:
        _add_merged(figure, shown, axis)
    else:
        # Only a point that is drawn can be clicked; beyond some thousand they slow the browser.
        clickable = sum(info.values.size for info in shown) <= POINTS_MARKED
        for info in shown:
            _add_curve(figure, info, axis, marked=clickable)
    _add_dips(figure, shown, axis)
    y = f"1 − {metric}" if axis == DISTANCE else metric
    styled(figure, x="epoch", y=y, height=height, legend=legend and len(shown) <= MANY)
    if axis == DISTANCE:
        figure.update_yaxes(type="log", autorange="reversed")
    elif axis == "log":
        figure.update_yaxes(type="log")
    elif axis == "top":
        figure.update_yaxes(range=top_range([info.values for info in shown]))
    return epoch_axis(figure)


def draw_pair(train: Sequence[CurveInfo], val: Sequence[CurveInfo], *, name: str) -> go.Figure:
    """Draw training (dotted, thin) against validation (solid) of each run, in one colour a run."""
    figure = go.Figure()
    for infos, part, width, dash in ((train, "train", 1.2, "dot"), (val, "val", 2.0, "solid")):
        for info in infos:
            steps, values = _broken(info, info.values)
            figure.add_scatter(
                x=steps,
                y=values,
                mode=_mode(info),
                name=f"{escaped(info.label)} {part}",
                legendgroup=info.run_id,
                line={"color": info.colour, "width": width, "dash": dash},
                hovertemplate=f"%{{y:.4f}} {part}<extra>{escaped(info.label)}</extra>",
            )
    if not figure.data:
        return empty(f"None of these runs has logged train/{name} or val/{name}.")
    styled(figure, x="epoch", y=name, height=380)
    return epoch_axis(figure)


def draw_bands(bands: Sequence[BandInfo], *, metric: str, top: bool = False) -> go.Figure:
    """Draw each configuration's mean over seeds with the range from its lowest to highest seed."""
    shown = [band for band in bands if band.steps.size]
    if not shown:
        return empty(f"None of these runs has logged {metric}.")
    figure = go.Figure()
    for band in shown:
        around = np.concatenate([band.steps, band.steps[::-1]])
        edge = np.concatenate([band.high, band.low[::-1]])
        name = escaped(band.label)
        figure.add_scatter(
            x=around,
            y=edge,
            fill="toself",
            fillcolor=_faded(band.colour, 0.18),
            mode="lines",
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
            legendgroup=name,
        )
        figure.add_scatter(
            x=band.steps,
            y=band.mean,
            name=f"{name} (n = {len(band.run_ids)})",
            mode="lines",
            line={"color": band.colour, "dash": band.dash, "width": 2},
            legendgroup=name,
            customdata=np.stack([band.low, band.high, band.spread.seeds], axis=1),
            hovertemplate="epoch %{x}: mean %{y:.4f}, %{customdata[0]:.4f} to "
            f"%{{customdata[1]:.4f}}, %{{customdata[2]}} seeds<extra>{name}</extra>",
        )
    styled(figure, x="epoch", y=f"{metric}: mean and range over seeds", height=440)
    if top:
        figure.update_yaxes(range=top_range([band.mean for band in shown]))
    return epoch_axis(figure)


def top_range(curves: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return the y range of the best quarter of all values, with a little air."""
    values = np.concatenate(curves)
    low, high = float(np.quantile(values, 1 - TOP_SHARE)), float(values.max())
    low = min(low, high - 1e-3)
    air = 0.1 * (high - low)
    return low - 2 * air, high + air


def _add_curve(figure: go.Figure, info: CurveInfo, axis: Axis, *, marked: bool) -> None:
    name = escaped(info.label)
    steps, raw = _broken(info, info.values)
    if info.smooth is not None:
        figure.add_scatter(
            x=steps,
            y=drawn_levels(raw, axis),
            mode="lines",
            hoverinfo="skip",
            line={"color": _faded(info.colour, 0.3), "width": 1},
            showlegend=False,
            legendgroup=info.run_id,
        )
    line = raw if info.smooth is None else _broken(info, info.smooth)[1]
    figure.add_scatter(
        x=steps,
        y=drawn_levels(line, axis),
        name=name,
        mode="lines+markers" if marked else _mode(info),
        legendgroup=info.run_id,
        line={"color": info.colour, "dash": info.dash, "width": 1.8},
        marker={"size": 5},
        unselected={"marker": {"opacity": 1}},
        customdata=[[info.run_id, *point] for point in zip(steps.tolist(), raw, strict=True)],
        hovertemplate=f"epoch %{{x}}: %{{customdata[2]:.4f}}<extra>{name}</extra>",
    )


def _add_merged(figure: go.Figure, infos: Sequence[CurveInfo], axis: Axis) -> None:
    # One SVG trace with gaps for each colour: 1,000 curves take half the time of a trace each.
    for colour in PALETTE:
        same = [info for info in infos if info.colour == colour]
        if not same:
            continue
        lines = [_broken(i, i.values if i.smooth is None else i.smooth) for i in same]
        x = np.concatenate([np.append(steps.astype(float), np.nan) for steps, _ in lines])
        y = np.concatenate([np.append(drawn_levels(line, axis), np.nan) for _, line in lines])
        pairs = zip(same, lines, strict=True)
        text = np.concatenate([np.repeat(escaped(i.label), s.size + 1) for i, (s, _) in pairs])
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines",
            line={"color": _faded(colour, 0.75), "width": 1.2},
            text=text,
            hovertemplate="%{text}<br>epoch %{x}: %{y:.4f}<extra></extra>",
            showlegend=False,
        )


def _add_dips(figure: go.Figure, infos: Sequence[CurveInfo], axis: Axis) -> None:
    _add_rings(
        figure, [(info, dip) for info in infos for dip in info.dips], axis, "dip", "circle-open"
    )
    falls = [(info, info.fall) for info in infos if info.fall is not None]
    _add_rings(figure, falls, axis, "deepest fall", "diamond-open")


def _add_rings(
    figure: go.Figure, found: Sequence[tuple[CurveInfo, Dip]], axis: Axis, name: str, symbol: str
) -> None:
    if not found:
        return
    levels = np.array([dip.level for _, dip in found])
    said = [
        f"{escaped(info.label)}<br>{name} at epoch {dip.epoch}: {dip.level:.4f}, "
        f"{dip.drawdown:.4f} below the best; "
        + ("not recovered" if dip.recovered_at is None else f"recovered at {dip.recovered_at}")
        for info, dip in found
    ]
    figure.add_scatter(
        x=[dip.epoch for _, dip in found],
        y=drawn_levels(levels, axis),
        mode="markers",
        marker={"symbol": symbol, "size": 12, "color": DIP, "line": {"width": 2}},
        unselected={"marker": {"opacity": 1}},
        name=name,
        text=said,
        hovertemplate="%{text}<extra></extra>",
        customdata=[[info.run_id, dip.epoch] for info, dip in found],
    )


def _broken(info: CurveInfo, values: Floats) -> tuple[Ints, Floats]:
    """Return the epochs and values of a line, with a NaN, which breaks it, where one is missing."""
    steps = np.concatenate([info.steps, info.missing])
    order = steps.argsort(kind="stable")
    return steps[order], np.append(values, np.full(info.missing.size, np.nan))[order]


def _mode(info: CurveInfo) -> str:
    # Between two gaps a line would not show a lone point.
    return "lines+markers" if info.values.size < 3 or info.missing.size else "lines"


def _faded(colour: str, alpha: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"

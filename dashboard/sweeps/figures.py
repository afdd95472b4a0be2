"""Draw the trials of a sweep: history, timeline, curves, front. A state is a shape, not a hue."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard.curves.figures import top_range
from dashboard.store.cache import Curve
from dashboard.sweeps import facts
from dashboard.theme import NEUTRAL
from dashboard.ui.figure import empty, epoch_axis, escaped, styled
from sweeps.trials import COMPLETE, CUT_SHORT, FAILED, PRUNED, RUNNING, STATES, STOPPED, Parameter
from trainer.palette import PALETTE

COLOURS = {COMPLETE: PALETTE[0], PRUNED: PALETTE[4], FAILED: PALETTE[1], RUNNING: PALETTE[2]}
SYMBOLS = {
    COMPLETE: "circle",
    PRUNED: "triangle-down-open",
    FAILED: "x-thin-open",
    RUNNING: "circle-open-dot",
    STOPPED: "square-open",
    CUT_SHORT: "line-ew-open",
}
PATTERNS = {COMPLETE: "", PRUNED: "/", FAILED: "x", RUNNING: ".", STOPPED: "-", CUT_SHORT: "|"}
BEST = PALETTE[2]


def colour_of(state: str) -> str:
    """Return the colour of a state; those without one of their own are grey."""
    return COLOURS.get(state, NEUTRAL)


def marker_of(state: str, size: int = 9) -> dict[str, Any]:
    """Return the mark of a state: its own shape in its own colour."""
    symbol = SYMBOLS.get(state, "circle-open")
    colour = colour_of(state)
    return {"symbol": symbol, "size": size, "color": colour, "line": {"width": 2, "color": colour}}


def hatching(shape: str) -> dict[str, Any]:
    """Return a bar's hatching: white lines over its colour."""
    return {"shape": shape, "fillmode": "overlay", "fgcolor": "white", "fgopacity": 0.8, "size": 6}


def draw_history(
    trials: pd.DataFrame,
    parameters: Sequence[Parameter],
    *,
    metric: str,
    top: bool = False,
    chosen: int | None = None,
) -> go.Figure:
    """Draw every trial's score by its number and the best so far; ``top`` zooms to the best.

    A failed trial has no score: its mark stands on the floor. ``chosen`` is ringed.
    """
    begun = trials[trials["started"].notna()]
    if begun.empty:
        return empty("No trial has begun yet.")
    levels = facts.level(begun)
    low, high = _span(levels, top)
    floor = low - 0.06 * (high - low)
    y = levels.fillna(floor).clip(lower=floor)
    figure = go.Figure()
    best = facts.best_so_far(begun["value"])
    if len(best):
        end = max(int(begun.index.max()), int(best.index[-1]))
        figure.add_scatter(
            x=[*best.index, end],
            y=[*best, best.iloc[-1]],
            mode="lines",
            name="best so far",
            line={"shape": "hv", "color": BEST, "width": 2},
            hoverinfo="skip",
        )
    add_marks(figure, begun, pd.Series(begun.index, begun.index), y, parameters, metric)
    _ring(figure, chosen, pd.Series(begun.index, begun.index), y)
    styled(figure, x="trial", y=metric, height=400)
    figure.update_yaxes(range=(floor - 0.04 * (high - low), high + 0.06 * (high - low)))
    last = float(begun.index.max())
    step = {"dtick": 1} if last < 16 else {}  # Else trial 0.5 would have a tick.
    return figure.update_xaxes(tickformat="d", range=(-0.6, last + 0.6), **step)


def add_marks(
    figure: go.Figure,
    trials: pd.DataFrame,
    x: pd.Series,
    y: pd.Series,
    parameters: Sequence[Parameter],
    metric: str,
    *,
    legend: bool = True,
    place: Mapping[str, int] | None = None,
) -> None:
    """Add each trial's mark at ``x``, ``y``, a trace per state; clicking gives its number."""
    texts = pd.Series(facts.hover(trials, parameters, metric), index=trials.index)
    for state in STATES:
        own = trials.index[(trials["state"] == state) & x.notna() & y.notna()]
        if not len(own):
            continue
        figure.add_scatter(
            x=x[own],
            y=y[own],
            mode="markers",
            name=f"{state} ({len(own)})",
            legendgroup=state,
            marker=marker_of(state),
            showlegend=legend,
            customdata=[[int(n)] for n in own],
            text=[escaped(t).replace("\n", "<br>") for t in texts[own]],
            hovertemplate="%{text}<extra></extra>",
            **(place or {}),
        )


def draw_timeline(trials: pd.DataFrame, *, now: pd.Timestamp, zone: str) -> go.Figure:
    """Draw when each trial ran, in the time zone ``zone``; a state is a hatching."""
    bars = facts.timeline(trials, now)
    if bars.empty:
        return empty("No trial has begun yet.")
    figure = go.Figure()
    begin, finish = (bars[c].dt.tz_convert(zone).dt.tz_localize(None) for c in ("begin", "finish"))
    lengths = (finish - begin).dt.total_seconds()
    for state in STATES:
        own = bars.index[bars["state"] == state]
        if not len(own):
            continue
        figure.add_bar(
            base=begin[own],
            x=lengths[own].clip(lower=0.05) * 1000,
            y=list(own),
            orientation="h",
            name=f"{state} ({len(own)})",
            customdata=[[int(n), lengths[n]] for n in own],
            marker={
                "color": colour_of(state),
                "line": {"width": 0},
                "pattern": hatching(PATTERNS.get(state, ".")),
            },
            hovertemplate="trial %{customdata[0]}, "
            f"{state}<br>from %{{base|%H:%M:%S}}, %{{customdata[1]:.0f}} s<extra></extra>",
        )
    height = int(min(110 + 14 * max(len(bars), 6), 700))
    styled(figure, x=f"time ({zone})", y="trial", height=height)
    figure.update_layout(barmode="overlay", bargap=0.25)
    figure.update_yaxes(autorange="reversed", tickformat="d", showgrid=False)
    return figure.update_xaxes(type="date")


def draw_trial_curves(
    trials: pd.DataFrame,
    curves: Mapping[int, Curve],
    *,
    metric: str,
    top: bool = False,
    chosen: int | None = None,
) -> go.Figure:
    """Draw every trial's score by epoch; those cut off by the pruner or a failure end in a mark."""
    if not curves:
        return empty(f"No trial of this sweep has logged {metric}.")
    figure = go.Figure()
    for state in (*(s for s in STATES if s != COMPLETE), COMPLETE):
        own = [n for n in trials.index if trials.at[n, "state"] == state and n in curves]
        if own:
            _add_trial_lines(figure, own, curves, state)
    if chosen is not None and chosen in curves:
        curve = curves[chosen]
        figure.add_scatter(
            x=curve.steps,
            y=curve.values,
            mode="lines+markers",
            name=f"trial {chosen}",
            line={"color": BEST, "width": 3},
            marker={"size": 5},
            hovertemplate=f"trial {chosen}<br>epoch %{{x}}: %{{y:.4f}}<extra></extra>",
        )
    styled(figure, x="epoch", y=metric, height=440)
    if top:
        figure.update_yaxes(
            range=top_range([c.values[np.isfinite(c.values)] for c in curves.values()])
        )
    return epoch_axis(figure)


def draw_pareto(
    trials: pd.DataFrame,
    parameters: Sequence[Parameter],
    *,
    cost: str,
    cost_name: str,
    metric: str,
    chosen: int | None = None,
) -> go.Figure:
    """Draw score over cost of the complete trials and the front that none of them beats."""
    shown = trials[trials["value"].notna() & trials[cost].notna()]
    if shown.empty:
        return empty(f"No complete trial has both {metric} and {cost_name}.")
    front = shown[facts.pareto_front(shown, cost)].sort_values([cost, "value"])
    figure = go.Figure()
    figure.add_scatter(
        x=front[cost],
        y=front["value"],
        mode="lines",
        name="front",
        hoverinfo="skip",
        line={"shape": "hv", "color": BEST, "width": 2},
    )
    for name, own, symbol, size in (
        ("beaten", shown.drop(front.index), "circle-open", 9),
        ("on the front", front, "diamond", 12),
    ):
        texts = facts.hover(own, parameters, metric)
        figure.add_scatter(
            x=own[cost],
            y=own["value"],
            mode="markers",
            name=f"{name} ({len(own)})",
            marker={
                "symbol": symbol,
                "size": size,
                "color": BEST if symbol == "diamond" else NEUTRAL,
                "line": {"width": 2, "color": BEST if symbol == "diamond" else NEUTRAL},
            },
            customdata=[[int(n)] for n in own.index],
            text=[escaped(t).replace("\n", "<br>") for t in texts],
            hovertemplate="%{text}<br>" + cost_name + " %{x:.4g}<extra></extra>",
        )
    _ring(figure, chosen, shown[cost], shown["value"])
    return styled(figure, x=cost_name, y=metric, height=440)


def _add_trial_lines(
    figure: go.Figure, own: Sequence[int], curves: Mapping[int, Curve], state: str
) -> None:
    # One trace with gaps for each state: a trace each would take the browser twice the time.
    x = np.concatenate([np.append(curves[n].steps.astype(float), np.nan) for n in own])
    y = np.concatenate([np.append(curves[n].values, np.nan) for n in own])
    numbers = np.concatenate([np.repeat(n, curves[n].steps.size + 1) for n in own])
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines",
        legendgroup=state,
        name=f"{state} ({len(own)})",
        line={
            "color": colour_of(state),
            "width": 1.4,
            "dash": "solid" if state == COMPLETE else "dot",
        },
        opacity=0.75,
        customdata=numbers[:, None],
        hovertemplate=f"trial %{{customdata[0]}}, {state}<br>epoch %{{x}}: %{{y:.4f}}"
        "<extra></extra>",
    )
    ends = {n: _last_finite(curves[n]) for n in own}
    figure.add_scatter(
        x=[end[0] for end in ends.values()],
        y=[end[1] for end in ends.values()],
        mode="markers",
        marker=marker_of(state, 9 if state != COMPLETE else 5),
        showlegend=False,
        legendgroup=state,
        customdata=[[n] for n in ends],
        name=f"end, {state}",
        hovertemplate=f"trial %{{customdata[0]}}, {state}<br>its last epoch, %{{x}}: %{{y:.4f}}"
        "<extra></extra>",
    )


def _last_finite(curve: Curve) -> tuple[int, float]:
    last = int(np.flatnonzero(np.isfinite(curve.values))[-1])
    return int(curve.steps[last]), float(curve.values[last])


def _ring(figure: go.Figure, chosen: int | None, x: pd.Series, y: pd.Series) -> None:
    if chosen is None or chosen not in x.index or not np.isfinite(y[chosen]):
        return
    figure.add_scatter(
        x=[x[chosen]],
        y=[y[chosen]],
        mode="markers",
        hoverinfo="skip",
        name=f"trial {chosen}",
        showlegend=False,
        marker={"symbol": "circle-open", "size": 18, "color": NEUTRAL, "line": {"width": 2}},
    )


def _span(levels: pd.Series, top: bool) -> tuple[float, float]:
    known = levels.dropna().to_numpy(dtype=float)
    if not known.size:
        return 0.0, 1.0
    low, high = top_range([known]) if top else (float(known.min()), float(known.max()))
    return (low, high) if high - low > 1e-6 else (low - 0.01, high + 0.01)

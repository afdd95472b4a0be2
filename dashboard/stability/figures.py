"""Draw where runs fall: epochs, hyperparameters, pairs of hyperparameters."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard.theme import DIP, SEQUENTIAL
from dashboard.ui.figure import empty, escaped, styled
from trainer.palette import PALETTE

SCALE = [[i / (len(SEQUENTIAL) - 1), colour] for i, colour in enumerate(SEQUENTIAL)]
ROW_PIXELS = 18


def draw_drawdown_map(
    drawdown: pd.DataFrame,
    labels: Mapping[str, str],
    dips: Sequence[tuple[str, int]],
    *,
    most: float = 0.1,
) -> go.Figure:
    """Draw run (row) by epoch (column) how far below its best so far each run lies.

    ``dips`` are ringed. The colour ends at ``most``: beyond, a fall is a fall.
    """
    if drawdown.empty:
        return empty("None of these runs has a value.")
    names = [escaped(labels.get(str(run_id), str(run_id)[:6])) for run_id in drawdown.index]
    rows = list(range(len(names)))
    figure = go.Figure(
        go.Heatmap(
            z=drawdown.to_numpy(),
            x=drawdown.columns.to_numpy(),
            y=rows,
            zmin=0,
            zmax=most,
            colorscale=SCALE,
            customdata=np.repeat(np.array(names)[:, None], drawdown.shape[1], 1),
            colorbar={"title": {"text": "below best"}, "thickness": 12},
            hovertemplate="%{customdata}<br>epoch %{x}: %{z:.4f} below the best<extra></extra>",
        )
    )
    place = {str(run_id): row for row, run_id in enumerate(drawdown.index)}
    ringed = [(place[run_id], epoch) for run_id, epoch in dips if run_id in place]
    if ringed:
        figure.add_scatter(
            x=[epoch for _, epoch in ringed],
            y=[row for row, _ in ringed],
            mode="markers",
            marker={"symbol": "circle-open", "size": 10, "color": DIP, "line": {"width": 2}},
            hoverinfo="skip",
            showlegend=False,
            name="dip",
        )
    height = 110 + ROW_PIXELS * max(len(names), 4)
    styled(figure, x="epoch", y="", height=height, legend=False)
    figure.update_yaxes(
        autorange="reversed", tickmode="array", tickvals=rows, ticktext=names, showgrid=False
    )
    return figure.update_xaxes(showgrid=False, tickformat="d")


def draw_by_parameter(points: pd.DataFrame, *, name: str, statistic: str) -> go.Figure:
    """Draw a statistic of every run over one hyperparameter, and the median at each value."""
    if points.empty:
        return empty(f"No run has both {name} and {statistic}.")
    numeric = pd.api.types.is_numeric_dtype(points["value"])
    figure = go.Figure()
    figure.add_scatter(
        x=points["value"],
        y=points["statistic"],
        mode="markers",
        name="run",
        marker={"color": PALETTE[0], "size": 7, "opacity": 0.65},
        customdata=list(points.index),
        hovertemplate=f"{escaped(name)} %{{x}}: %{{y:.4f}}<extra></extra>",
    )
    medians = points.groupby("value", sort=True)["statistic"].median()
    figure.add_scatter(
        x=medians.index,
        y=medians.to_numpy(),
        mode="lines+markers" if numeric else "markers",
        name="median",
        line={"color": PALETTE[1], "width": 1.5},
        marker={"color": PALETTE[1], "symbol": "diamond", "size": 8},
    )
    styled(figure, x=name, y=statistic, height=340)
    if numeric and _spans_decades(points["value"].to_numpy(dtype=float)):
        figure.update_xaxes(type="log")
    return figure


def draw_crossed(
    means: pd.DataFrame, counts: pd.DataFrame, *, names: tuple[str, str], statistic: str
) -> go.Figure:
    """Draw the mean statistic over two hyperparameters; each cell tells its number of runs."""
    if means.empty:
        return empty("No run has both hyperparameters.")
    text = [
        ["" if np.isnan(m) else f"{m:.4f}<br>n = {int(n)}" for m, n in zip(ms, ns, strict=True)]
        for ms, ns in zip(means.to_numpy(), counts.to_numpy(), strict=True)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=means.to_numpy(),
            x=_categories(means.columns),
            y=_categories(means.index),
            colorscale=SCALE,
            zmin=0,
            xgap=1,
            ygap=1,
            text=text if means.size <= 150 else None,
            texttemplate="%{text}",
            colorbar={"title": {"text": statistic}, "thickness": 12},
            hovertemplate=f"{names[0]} %{{y}}, {names[1]} %{{x}}: %{{z:.4f}}<extra></extra>",
        )
    )
    styled(figure, x=names[1], y=names[0], height=120 + 44 * max(len(means), 3), legend=False)
    figure.update_xaxes(type="category", showgrid=False)
    return figure.update_yaxes(type="category", showgrid=False, autorange="reversed")


def _spans_decades(values: np.ndarray) -> bool:
    return bool((values > 0).all() and values.max() / values.min() >= 20)


def _categories(values: pd.Index) -> list[str]:
    return [f"{v:g}" if isinstance(v, int | float) else escaped(str(v)) for v in values]

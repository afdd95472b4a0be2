"""Draw what the parameters of a sweep do: all at once, one by one, two by two, how much."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.stability.figures import SCALE
from dashboard.sweeps import facts
from dashboard.sweeps.facts import JUDGED
from dashboard.sweeps.figures import add_marks, hatching
from dashboard.ui.figure import GROUND, empty, escaped, styled
from sweeps.trials import COMPLETE, Parameter, numeric
from trainer.palette import PALETTE

# Low to high over grey: every step stands out from a light and from a dark ground.
LOW_TO_HIGH = [[0.0, "#D55E00"], [0.5, "#9A9A9A"], [1.0, "#1F83C4"]]
COLUMNS = 3


def draw_parallel(
    trials: pd.DataFrame, parameters: Sequence[Parameter], *, metric: str
) -> go.Figure:
    """Draw one line a complete trial through all parameters to its score, coloured by its rank.

    Dragging along an axis keeps the lines that pass there.
    """
    shown = trials[(trials["state"] == COMPLETE) & trials["value"].notna()]
    shown = shown.dropna(subset=[p.column for p in parameters])
    if shown.empty or not parameters:
        return empty("No trial is complete yet.")
    dimensions = []
    for parameter in parameters:
        axis = facts.axis(shown, parameter)
        dimension = {"label": escaped(axis.name), "values": axis.values}
        if axis.ticks is not None and axis.labels is not None:
            dimension |= {"tickvals": axis.ticks, "ticktext": [escaped(t) for t in axis.labels]}
        dimensions.append(dimension)
    dimensions.append({"label": escaped(metric), "values": shown["value"], "tickformat": ".3f"})
    figure = go.Figure(
        go.Parcoords(
            dimensions=dimensions,
            line={"color": shown["value"].rank(), "colorscale": LOW_TO_HIGH, "showscale": False},
            labelfont={"size": 13},
            tickfont={"size": 12},
            rangefont={"size": 11},
        )
    )
    margin = {"l": 64, "r": 48, "t": 56, "b": 28}
    return figure.update_layout(height=400, margin=margin, paper_bgcolor=GROUND, uirevision="keep")


def draw_slices(
    trials: pd.DataFrame, parameters: Sequence[Parameter], *, metric: str, column: str = "value"
) -> go.Figure:
    """Draw ``column`` over each parameter, complete and pruned trials, side by side.

    A pruned trial has no value: it stands at the best score that it reached.
    """
    shown = trials[trials["state"].isin(JUDGED)]
    levels = facts.level(shown) if column == "value" else shown[column]
    if not levels.notna().any() or not parameters:
        return empty("No trial has a score yet.")
    across = min(COLUMNS, len(parameters))
    rows = -(-len(parameters) // across)
    figure = make_subplots(
        rows=rows,
        cols=across,
        shared_yaxes=True,
        horizontal_spacing=0.03,
        vertical_spacing=min(0.22, 0.5 / rows),
    )
    styled(figure, x="", y="", height=90 + 250 * rows)
    for place, parameter in enumerate(parameters):
        row, across_at = place // across + 1, place % across + 1
        x, setting = _slice_axis(shown, parameter)
        add_marks(
            figure,
            shown,
            x,
            levels,
            parameters,
            metric,
            legend=place == 0,
            place={"row": row, "col": across_at},
        )
        title = {"text": escaped(parameter.name), "standoff": 6}
        figure.update_xaxes(row=row, col=across_at, title=title, **setting)
        figure.update_yaxes(row=row, col=across_at, title={"text": metric * (across_at == 1)})
    return figure.update_layout(
        legend={"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
        margin={"t": 44},
    )


def draw_contour(
    trials: pd.DataFrame,
    first: Parameter,
    second: Parameter,
    *,
    metric: str,
    column: str = "value",
) -> go.Figure:
    """Draw ``column`` over two parameters, interpolated where trials are near, and the trials."""
    shown = trials[(trials["state"] == COMPLETE) & trials[column].notna()]
    shown = shown.dropna(subset=[first.column, second.column])
    if first.name == second.name:
        return empty("Choose two different parameters.")
    if shown[first.column].nunique() < 2 or shown[second.column].nunique() < 2:
        return empty("Complete trials with at least two values of both parameters are needed.")
    found = facts.landscape(shown, first, second, column)
    colours = {"colorscale": SCALE, "colorbar": {"title": {"text": metric}, "thickness": 12}}
    drawn = go.Contour if found.numbers else go.Heatmap
    own = {"line": {"width": 0.5}, "ncontours": 14} if found.numbers else {"ygap": 2}
    figure = go.Figure(drawn(x=found.x, y=found.y, z=found.z, hoverinfo="skip", **colours, **own))
    (x, x_setting), (y, y_setting) = (_slice_axis(shown, p) for p in (first, second))
    add_marks(figure, shown, x, y, (first, second), metric, legend=False)
    figure.update_traces(
        selector={"mode": "markers"},
        marker={"color": "white", "size": 8, "line": {"width": 1.5, "color": "#1D2530"}},
    )
    styled(figure, x=first.name, y=second.name, height=440, legend=False)
    figure.update_xaxes(showgrid=False, **x_setting)
    return figure.update_yaxes(showgrid=False, **y_setting)


def draw_importance(shares: Mapping[str, Mapping[str, float]], *, evaluator: str) -> go.Figure:
    """Draw how much each parameter matters, a bar for each thing it may matter for.

    ``shares`` maps what is explained (a score, the drawdown) to parameter → share of 1.
    """
    known = {name: found for name, found in shares.items() if found}
    if not known:
        return empty(f"{evaluator} has too few complete trials.")
    order = list(dict.fromkeys(p for found in known.values() for p in found))
    figure = go.Figure()
    for place, (name, found) in enumerate(known.items()):
        figure.add_bar(
            y=[escaped(p) for p in order],
            x=[found.get(p, np.nan) for p in order],
            name=f"for {name}",
            orientation="h",
            text=[f"{found[p]:.2f}" if p in found else "" for p in order],
            marker={"color": PALETTE[place], "pattern": hatching(("", "/", ".")[place % 3])},
            hovertemplate=f"%{{y}}: %{{x:.3f}} of what matters for {escaped(name)}<extra></extra>",
        )
    height = 90 + (26 * len(known) + 18) * max(len(order), 2)
    styled(figure, x=f"importance ({evaluator})", y="", height=height)
    figure.update_layout(legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"})
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure.update_xaxes(range=(0, 1.05))


def _slice_axis(trials: pd.DataFrame, parameter: Parameter) -> tuple[pd.Series, dict[str, object]]:
    """Return a parameter's values on an axis, and the axis' own settings."""
    column = trials[parameter.column]
    if numeric(trials, parameter):
        values = pd.to_numeric(column, errors="coerce").astype(float)
        known = values.dropna()
        if not parameter.log or known.empty or known.min() <= 0:
            return values, {"type": "linear"}
        decades = float(np.log10(known.max() / known.min()))
        ticks = {"dtick": 1} if decades >= 2 else {}
        return values, {"type": "log", "exponentformat": "power", **ticks}
    axis = facts.axis(trials, parameter)
    labels = [escaped(text) for text in axis.labels or []]
    shown = column.map(lambda v: None if v is None else escaped(str(v)))
    return shown, {"type": "category", "categoryorder": "array", "categoryarray": labels}

"""Draw one run's curve to choose an epoch from, and what its images scored around that epoch."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.dip.facts import Moment
from dashboard.display import shortened
from dashboard.store.cache import Curve
from dashboard.theme import DIP, NEUTRAL
from dashboard.ui.figure import AXIS, GRID, GROUND, empty, escaped, styled
from trainer.analysis.dips import Dip
from trainer.palette import PALETTE

IMAGES = 40
ROW_PIXELS = 20
BEFORE, AT, AFTER = PALETTE[0], DIP, PALETTE[2]
OTHER_METRICS = {"train/grad_norm": "grad norm", "lr": "lr"}
"""What is drawn beneath the score, and how its axis is called."""
_STEADY = {"marker": {"opacity": 1}}


def draw_epoch_choice(
    score: Curve,
    others: dict[str, Curve],
    dips: Sequence[Dip],
    shown: Moment | None,
    *,
    metric: str,
    height: int = 460,
) -> go.Figure:
    """Draw a score by epoch, dips ringed, and beneath it other metrics over the same epochs.

    Every epoch is a point that can be clicked. Lines mark the epoch ``shown`` and, dotted, those
    it is compared with. ``others`` maps a metric to its curve; empty ones are left out.
    """
    finite = np.isfinite(score.values)
    if not finite.any():
        return empty(f"This run has logged no {metric}.")
    below = {name: curve for name, curve in others.items() if curve.steps.size}
    figure = make_subplots(
        rows=1 + len(below),
        shared_xaxes=True,
        vertical_spacing=0.06,
        row_heights=[0.6, *[0.4 / len(below)] * len(below)] if below else [1],
    )
    _add_points(figure, score, finite, metric, PALETTE[0], row=1)
    for row, (name, curve) in enumerate(below.items(), start=2):
        _add_points(figure, curve, np.isfinite(curve.values), name, NEUTRAL, row=row)
        # A constant rate would else be drawn between itself less one and itself plus one.
        highest = np.max(curve.values, where=np.isfinite(curve.values), initial=0.0)
        figure.update_yaxes(
            title={"text": OTHER_METRICS.get(name, name), "standoff": 8},
            nticks=4,
            row=row,
            col=1,
            range=[0, 1.2 * highest or 1],
            exponentformat="e",
            rangemode="tozero",
        )
    _add_dips(figure, dips)
    _mark(figure, shown)
    figure.update_layout(
        height=height,
        margin={"l": 64, "r": 16, "t": 16, "b": 44},
        showlegend=False,
        paper_bgcolor=GROUND,
        plot_bgcolor=GROUND,
        font={"size": 12},
        dragmode=False,
        hovermode="closest",
        uirevision="keep",
        clickmode="event+select",
    )
    line = {"gridcolor": GRID, "linecolor": AXIS, "zerolinecolor": GRID, "automargin": True}
    figure.update_xaxes(tickformat="d", **line)
    figure.update_yaxes(**line)
    figure.update_xaxes(title={"text": "epoch", "standoff": 8}, row=1 + len(below), col=1)
    return figure.update_yaxes(title={"text": metric, "standoff": 8}, row=1, col=1)


def draw_changes(changes: pd.DataFrame, shown: Moment, *, at_most: int = IMAGES) -> go.Figure:
    """Draw each image's Dice before, at and after an epoch, the largest fall on top.

    ``changes`` is what `facts.image_changes` returns; of many images the first ``at_most``.
    """
    if changes.empty:
        return empty("No image has a Dice at both epochs.")
    rows = changes.head(at_most)
    places = np.arange(len(rows))
    figure = go.Figure()
    fell = rows["fall"].to_numpy() > 0
    for falling, colour in ((True, DIP), (False, NEUTRAL)):
        chosen = fell == falling
        figure.add_scatter(
            x=_gapped(rows["before"].to_numpy()[chosen], rows["at"].to_numpy()[chosen]),
            y=_gapped(places[chosen], places[chosen]),
            mode="lines",
            hoverinfo="skip",
            line={"color": colour, "width": 2 if falling else 1.2},
            opacity=0.6,
            showlegend=False,
        )
    said = [escaped(str(name)) for name in rows.index]
    styles = (("circle-open", BEFORE, 10), ("diamond", AT, 9), ("line-ns-open", AFTER, 12))
    kinds = zip(shown.names, shown.epochs, styles, strict=False)
    for name, epoch, (symbol, colour, size) in kinds:
        figure.add_scatter(
            x=rows[name],
            y=places,
            mode="markers",
            name=f"{name}: epoch {epoch}",
            text=said,
            marker={
                "symbol": symbol,
                "color": colour,
                "size": size,
                "line": {"width": 2, "color": colour},
            },
            hovertemplate=f"%{{text}}<br>{name}, epoch {epoch}: %{{x:.4f}}<extra></extra>",
        )
    styled(figure, x="Dice of the image", y="", height=96 + ROW_PIXELS * max(len(rows), 4))
    figure.update_layout(
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "xanchor": "left"},
        dragmode=False,
        margin={"l": 56, "r": 16, "t": 36, "b": 44},
    )
    names = [escaped(shortened(str(name), 28)) for name in rows.index]
    return figure.update_yaxes(
        tickmode="array",
        tickvals=places,
        ticktext=names,
        range=[len(rows) - 0.4, -0.6],
        showgrid=False,
        zeroline=False,
    )


def _add_points(
    figure: go.Figure, curve: Curve, finite: np.ndarray, name: str, colour: str, *, row: int
) -> None:
    figure.add_scatter(
        x=curve.steps[finite],
        y=curve.values[finite],
        mode="lines+markers",
        name=name,
        line={"color": colour, "width": 1.6},
        marker={"size": 6, "color": colour},
        selected=_STEADY,
        unselected=_STEADY,
        hovertemplate=f"epoch %{{x}}: %{{y:.4g}}<extra>{escaped(name)}</extra>",
        row=row,
        col=1,
    )


def _add_dips(figure: go.Figure, dips: Sequence[Dip]) -> None:
    if not dips:
        return
    figure.add_scatter(
        x=[dip.epoch for dip in dips],
        y=[dip.level for dip in dips],
        mode="markers",
        name="dip",
        marker={"symbol": "circle-open", "size": 14, "color": DIP, "line": {"width": 2}},
        selected=_STEADY,
        unselected=_STEADY,
        text=[f"dip at epoch {d.epoch}: {d.drawdown:.4f} below the best" for d in dips],
        hovertemplate="%{text}<extra></extra>",
        row=1,
        col=1,
    )


def _mark(figure: go.Figure, shown: Moment | None) -> None:
    if shown is None:
        return
    figure.add_vline(x=shown.epoch, line={"color": DIP, "width": 1.5})
    for epoch in (shown.before, shown.after):
        if epoch is not None:
            figure.add_vline(x=epoch, line={"color": AXIS, "width": 1, "dash": "dot"})


def _gapped(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return ``start, end, NaN`` for each pair in one array: one trace of many segments."""
    return np.stack([start, end, np.full(len(start), np.nan)], axis=1).astype(float).ravel()

"""Draw what a run scores class by class: IoU over epochs and the confusion matrix."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from dashboard.store.cache import Curve
from dashboard.theme import SEQUENTIAL
from dashboard.ui.figure import empty, epoch_axis, escaped, styled
from trainer.palette import curve_style


def draw_class_curves(curves: Mapping[str, Curve], *, metric: str = "IoU") -> go.Figure:
    """Draw one line a class over epochs; ``curves`` maps a class's name to its curve."""
    if not any(curve.steps.size for curve in curves.values()):
        return empty(f"This run has logged no {metric} per class.")
    figure = go.Figure()
    for position, (name, curve) in enumerate(curves.items()):
        colour, dash = curve_style(position)
        figure.add_scatter(
            x=curve.steps,
            y=curve.values,
            name=escaped(name),
            mode="lines+markers" if curve.steps.size < 3 else "lines",
            line={"color": colour, "dash": dash, "width": 1.8},
            hovertemplate=f"epoch %{{x}}: %{{y:.4f}}<extra>{escaped(name)}</extra>",
        )
    styled(figure, x="epoch", y=metric, height=340)
    return epoch_axis(figure)


def row_shares(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each row of a confusion matrix as shares of its pixels; NaN where it has none."""
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.full(matrix.shape, np.nan)
    np.divide(matrix, totals, out=shares, where=totals > 0)
    return shares


def draw_confusion(
    matrix: NDArray[np.int64], classes: Sequence[str], *, counted: str = "pixels"
) -> go.Figure:
    """Draw a confusion matrix: rows are targets, colour and number the share of the row.

    ``counted`` says what its numbers count.
    """
    shares = row_shares(matrix)
    names = [escaped(name) for name in classes]
    text = [["" if np.isnan(x) else f"{x:.1%}" for x in row] for row in shares]
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            x=names,
            y=names,
            zmin=0,
            zmax=1,
            xgap=1,
            ygap=1,
            customdata=matrix,
            colorscale=[[i / (len(SEQUENTIAL) - 1), c] for i, c in enumerate(SEQUENTIAL)],
            text=text if len(classes) <= 15 else None,
            texttemplate="%{text}",
            colorbar={"title": {"text": "share of target"}, "tickformat": ".0%", "thickness": 12},
            hovertemplate="target %{y}, predicted %{x}: %{z:.2%} (%{customdata:,} "
            f"{counted})"
            "<extra></extra>",
        )
    )
    styled(figure, x="predicted", y="target", height=140 + 42 * min(len(classes), 14), legend=False)
    return figure.update_yaxes(autorange="reversed", showgrid=False).update_xaxes(showgrid=False)

"""What all figures share: compact margins, tabular numbers, a quiet grid.

Colours of curves are set by whoever draws them; ground, text and grid come from the
theme in the browser, so that one figure serves light and dark.
"""

import numpy as np
import plotly.graph_objects as go

GRID = "rgba(128,128,128,0.18)"
AXIS = "rgba(128,128,128,0.55)"
GROUND = "rgba(0,0,0,0)"
SIDE_BY_SIDE = 360
FEW_EPOCHS = 15


def styled(
    figure: go.Figure, *, x: str, y: str, height: int = 420, legend: bool = True
) -> go.Figure:
    """Return the figure with the house's layout; ``x`` and ``y`` are the axes' titles.

    Low figures stand side by side, so they have their legend above; others on the right.
    """
    few = sum(trace.showlegend is not False for trace in figure.data) <= 5
    above = {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"}
    beside = {"orientation": "v", "x": 1.01, "y": 1, "xanchor": "left", "yanchor": "top"}
    figure.update_layout(
        height=height,
        margin={"l": 56, "r": 16, "t": 24, "b": 44},
        paper_bgcolor=GROUND,
        plot_bgcolor=GROUND,
        showlegend=legend,
        legend=(above if height < SIDE_BY_SIDE and few else beside) | {"font": {"size": 12}},
        hoverlabel={"namelength": -1, "align": "left"},
        font={"size": 12},
        dragmode="zoom",
        uirevision="keep",
    )
    line = {"gridcolor": GRID, "linecolor": AXIS, "zerolinecolor": GRID, "automargin": True}
    figure.update_xaxes(title={"text": x, "standoff": 8}, **line)
    figure.update_yaxes(title={"text": y, "standoff": 8}, **line)
    return figure


def epoch_axis(figure: go.Figure) -> go.Figure:
    """Return the figure with whole epochs on its x axes, each of them where they are few."""
    drawn = [np.array(trace.x, dtype=float) for trace in figure.data if len(trace.x)]
    first = min((np.nanmin(epochs) for epochs in drawn), default=1.0)
    last = max((np.nanmax(epochs) for epochs in drawn), default=0.0)
    if last - first >= FEW_EPOCHS:
        return figure.update_xaxes(tickformat="d")
    # Others count their epochs from 0, or from before.
    around = [min(first, 1.0) - 0.5, last + 0.5]
    return figure.update_xaxes(tickformat="d", range=around, dtick=1, tick0=1)


def escaped(text: str) -> str:
    """Return text that plotly shows as it is: its labels are a small HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def empty(message: str, *, height: int = 220) -> go.Figure:
    """Return a figure that says why it shows nothing."""
    figure = go.Figure()
    figure.add_annotation(
        text=escaped(message),
        showarrow=False,
        x=0.5,
        y=0.5,
        xref="paper",
        yref="paper",
        font={"size": 13},
    )
    figure.update_layout(height=height, paper_bgcolor=GROUND, plot_bgcolor=GROUND)
    return figure.update_xaxes(visible=False).update_yaxes(visible=False)

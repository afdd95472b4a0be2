"""Draw how far two configurations lie apart, with what images and seeds leave uncertain."""

import plotly.graph_objects as go

from dashboard.theme import NEUTRAL
from dashboard.ui.figure import AXIS, styled
from trainer.analysis.verdict import Comparison
from trainer.palette import PALETTE


def draw_intervals(comparison: Comparison) -> go.Figure:
    """Draw each score's difference, A less B, with its interval; a line marks no difference."""
    shown = list(comparison.differences.values())[::-1]
    figure = go.Figure()
    for row, difference in enumerate(shown):
        interval = difference.interval
        decided = interval.low > 0 or interval.high < 0
        figure.add_scatter(
            x=[interval.value],
            y=[difference.score],
            mode="markers",
            showlegend=False,
            marker={
                "size": 10,
                "color": PALETTE[0] if decided else NEUTRAL,
                "symbol": "diamond" if row == len(shown) - 1 else "circle",
            },
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [interval.high - interval.value],
                "arrayminus": [interval.value - interval.low],
                "thickness": 2,
                "width": 6,
            },
            hovertemplate=f"{difference.score}: %{{x:+.4f}} ({interval.low:+.4f} to "
            f"{interval.high:+.4f})<extra></extra>",
        )
    figure.add_vline(x=0, line={"color": AXIS, "width": 1, "dash": "dot"})
    title = f"A − B, {comparison.level:.0%} interval"
    return styled(figure, x=title, y="", height=110 + 42 * len(shown), legend=False)

"""Plotly figures with the toolbar that a paper needs: PNG or SVG, no logo, a description."""

from typing import Any

import plotly.graph_objects as go
import streamlit as st

FORMATS = ("png", "svg")


def chart(figure: go.Figure, *, key: str, alt: str, on_select: Any = "ignore") -> Any:
    """Show a figure; ``alt`` describes it to a screen reader.

    The camera in its toolbar saves the format chosen in the sidebar. Returns the selection where
    ``on_select`` is not ``"ignore"``.
    """
    image_format = st.session_state.get("image_format", FORMATS[0])
    return st.plotly_chart(
        figure,
        key=key,
        alt=alt,
        on_select=on_select,
        selection_mode="points",
        config={
            "displaylogo": False,
            "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
            "toImageButtonOptions": {"format": image_format, "filename": key, "scale": 2},
        },
    )


def image_format_choice() -> None:
    """Let the reader choose what the camera of every figure saves."""
    st.segmented_control(
        "Figures are saved as",
        FORMATS,
        default=FORMATS[0],
        required=True,
        format_func=str.upper,
        key="image_format",
        persist_state="session",
    )

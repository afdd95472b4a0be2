"""The few things that Streamlit's theme options do not reach."""

from pathlib import Path

import streamlit as st

LOGO = Path(__file__).parent / "logo.svg"
_CSS = """<style>
[data-testid="stMainBlockContainer"] { padding-left: 2rem; padding-right: 2rem; }
[data-testid="stText"], [data-testid="stMetricValue"] { font-variant-numeric: tabular-nums; }
[data-testid="stSidebarContent"] [data-testid="stText"] { font-size: 0.85rem; }
[data-testid="stAppDeployButton"] { display: none; }
</style>"""


def apply() -> None:
    """Add the house's style to the page; once a run of the app."""
    st.logo(LOGO, size="large")
    st.html(_CSS)

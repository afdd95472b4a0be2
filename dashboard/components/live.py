"""Follow the store: draw the page again when a run has begun, gone on or ended."""

import streamlit as st

from dashboard import data

SECONDS = 2


def follow_store() -> None:
    """Rerun this page whenever the table of runs has changed; a look every two seconds."""
    drawn = data.store().generation

    @st.fragment(run_every=SECONDS)
    def look() -> None:
        data.runs()
        if data.store().generation != drawn:
            st.rerun()

    look()

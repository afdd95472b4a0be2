"""Follow the store: draw the page again when a run has begun, gone on or ended."""

import streamlit as st

from dashboard.store import reads

SECONDS = 2


def say_what_is_being_read() -> None:
    """Tell how many runs of a slow store have come, and draw the page again with all of them."""
    if reads.store().complete:
        return

    @st.fragment(run_every=SECONDS)
    def look() -> None:
        count = len(reads.runs())
        st.caption(f"Reading the store: the newest {count:,} runs so far.")
        if reads.store().complete:
            st.rerun()

    look()


def follow_store() -> None:
    """Rerun this page whenever the table of runs has changed; a look every two seconds."""
    drawn = reads.store().generation

    @st.fragment(run_every=SECONDS)
    def look() -> None:
        reads.runs()
        if reads.store().generation != drawn:
            st.rerun()

    look()

"""One run: what it was, how it went, where it failed; live while it trains."""

import streamlit as st

from dashboard import data
from dashboard.components import run_classes, run_files, run_overview, run_picker
from dashboard.components.run_header import show_header
from dashboard.components.run_samples import show_samples
from trainer.tracking.reading import UNFINISHED

LIVE_SECONDS = 1


def main() -> None:
    """Draw the page."""
    run_id = run_picker.one_run()
    if run_id is None:
        return
    refreshed = LIVE_SECONDS if data.run(run_id)["status"] in UNFINISHED else None
    st.fragment(show_header, run_every=refreshed)(run_id)
    overview, samples, classes, system, files = st.tabs(
        ["Overview", "Samples", "Classes", "System", "Files"], key="part", bind="query-params"
    )
    if overview.open:
        with overview:
            st.fragment(run_overview.show_curves, run_every=refreshed)(run_id)
            run_overview.show_details(run_id)
    if samples.open:
        with samples:
            st.fragment(show_samples, run_every=refreshed)(run_id)
    if classes.open:
        with classes:
            run_classes.show_classes(run_id)
    if system.open:
        with system:
            st.fragment(run_files.show_system, run_every=refreshed)(run_id)
    if files.open:
        with files:
            run_files.show_files(run_id)


main()

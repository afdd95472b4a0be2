"""One run: what it was, how it went, where it failed; live while it trains."""

import streamlit as st

from dashboard.run import classes as run_classes
from dashboard.run import files as run_files
from dashboard.run import overview as run_overview
from dashboard.run.header import show_header
from dashboard.run.samples import show_samples
from dashboard.store import reads
from dashboard.ui import run_picker
from trainer.analysis.learning_rates import KIND
from trainer.tracking.reading import SWEEP
from trainer.tracking.standing import RUNNING

LIVE_SECONDS = 1


def main() -> None:
    """Draw the page."""
    run_id = run_picker.one_run()
    if run_id is None:
        return
    refreshed = LIVE_SECONDS if reads.run(run_id)["state"] == RUNNING else None
    st.fragment(show_header, run_every=refreshed)(run_id)
    overview, samples, classes, system, files = st.tabs(
        ["Overview", "Samples", "Classes", "System", "Files"], key="part", bind="query-params"
    )
    if overview.open:
        with overview:
            if reads.run(run_id)["kind"] == KIND:
                run_overview.show_range_test(run_id)
            elif reads.run(run_id)["kind"] == SWEEP:
                run_overview.show_configuration(reads.run(run_id))
            else:
                st.fragment(run_overview.show_curves, run_every=refreshed)(run_id)
                st.fragment(run_overview.show_details, run_every=refreshed)(run_id)
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

"""What a page says when it has nothing to show: why, and what to run."""

import streamlit as st

from dashboard.store import reads
from trainer.classification.config import KIND

FIRST_RUN = "trainer fit"
MOST_DAMAGED = 10
FIRST_SWEEP = "sweeps run lr-batch-kernel --trials 6"


def store_is_ready() -> bool:
    """Return whether the store can be read and has runs; otherwise say so on the page."""
    try:
        if not reads.runs().empty:
            return True
    except ValueError as error:
        unreadable(error)
        return False
    no_runs()
    return False


def no_runs() -> None:
    """Say that the store is empty and how the first run gets into it."""
    st.subheader("No runs yet")
    st.text("This store is empty. Train a model on the built-in data:")
    st.code(FIRST_RUN, language="bash")
    st.text("or search for a learning rate, a batch size and a kernel size:")
    st.code(FIRST_SWEEP, language="bash")
    st.text("Your own images: trainer fit --data PATH. The runs appear here while they train.")


def unreadable(error: ValueError) -> None:
    """Say that the store cannot be read, in the words of the error."""
    st.subheader("The store cannot be read")
    st.code(str(error), language=None, wrap_lines=True)
    st.text("Check MLFLOW_TRACKING_URI, then reload this page.")


def nothing(message: str, command: str | None = None) -> None:
    """Say in one line why there is nothing, and the command that would change it."""
    st.caption(message)
    if command is not None:
        st.code(command, language="bash")


def is_classifier(run_id: str) -> bool:
    """Return whether a run is a classifier's, which has no masks; then say so on the page."""
    if reads.run(run_id)["kind"] != KIND:
        return False
    nothing("This run is a classifier: it has no masks. Its confusion is on its page, Classes.")
    return True


def damaged() -> None:
    """Name the files that the page asked for and that cannot be read; nothing when all could."""
    lines = reads.damaged()
    if not lines:
        return
    more = f"\n… and {len(lines) - MOST_DAMAGED} more" if len(lines) > MOST_DAMAGED else ""
    st.text("Left out, for it cannot be read:\n" + "\n".join(lines[:MOST_DAMAGED]) + more)

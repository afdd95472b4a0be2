"""Comparisons of runs, resampled once and kept."""

import streamlit as st

from dashboard.compare import facts
from dashboard.store.reads import per_image
from trainer.analysis.comparison import Comparison, compare_all


@st.cache_data(show_spinner="Resampling images and seeds", max_entries=64)
def compared(
    sides: tuple[tuple[str, tuple[str, ...]], ...], epochs: tuple[tuple[str, int], ...], score: str
) -> list[Comparison]:
    """Return every pair's comparison of some sides; a side is its name and its runs.

    Each run counts with the validation images at its epoch of ``epochs``. Raises ``ValueError``
    when the sides have no image in common or differ in classes.
    """
    at = dict(epochs)
    frames = {side: [per_image(r, [at[r]]) for r in run_ids] for side, run_ids in sides}
    counts, images = facts.pixel_counts(frames)
    return compare_all(counts, images=images, score=score)

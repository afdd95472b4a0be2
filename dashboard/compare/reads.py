"""Verdicts on runs, resampled once and kept."""

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard.store import reads
from trainer.evaluation.results import Verdict, which_is_better
from trainer.store import tracking_uri


def verdict(sides: Mapping[str, Sequence[str]], score: str, *, of_models: bool = False) -> Verdict:
    """Return `which_is_better` of some sides, by their names; ``ValueError`` as it raises them."""
    runs = reads.runs([run_id for of_side in sides.values() for run_id in of_side])
    # A finished run does not change, and of one that goes on the newest epoch tells.
    known = [run_id for of_side in sides.values() for run_id in of_side if run_id in runs.index]
    state = runs.loc[known, ["status", "ended", "last_step", "headline"]]
    frozen = tuple((side, tuple(run_ids)) for side, run_ids in sides.items())
    return _verdict(tracking_uri(), frozen, score, of_models, state.to_csv())


@st.cache_data(show_spinner="Resampling images and seeds", max_entries=64)
def _verdict(
    uri: str,
    sides: tuple[tuple[str, tuple[str, ...]], ...],
    score: str,
    of_models: bool,
    state: str,
) -> Verdict:
    del uri, state
    return which_is_better(dict(sides), score=score, of_models=of_models)

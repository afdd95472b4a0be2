"""Which runs a page shows: the selection, or a sensible few when nothing is chosen."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard.display import label
from dashboard.store import reads
from dashboard.ui import selection, states
from trainer.tracking.reading import NO_TRAINING

FEW = 6
NEAR = 200
RUN = "run"
ONCE = ("best/", "stability/", "test/", "lr-find/")


def chosen_or_best(few: int = FEW) -> list[str]:
    """Return the selected runs; with none, the best of the newest and a line that says so."""
    chosen = selection.selected()
    if chosen:
        return chosen
    runs, table = reads.runs_and_overview()
    listed = table.loc[_trained(runs) & (table["epochs"] > 0)]
    best = listed.head(100).sort_values("best", ascending=False, na_position="last").head(few)
    if len(best):
        st.caption(
            f"No run is selected, so these are the {len(best)} best of the newest, each by its "
            "headline. Choose others on the page Runs."
        )
    return list(best.index)


def one_headline(run_ids: Sequence[str]) -> str:
    """Return the metric that the runs are judged by; the reader chooses where there are several.

    At first the one of the most runs. Empty where none has any.
    """
    metrics = reads.runs(run_ids)["headline"].reindex(list(run_ids), fill_value="")
    known = list(metrics[metrics != ""].value_counts().index)
    if len(known) < 2:
        return known[0] if known else ""
    chosen = st.selectbox(
        "Headline",
        known,
        key="headline",
        bind="query-params",
        width=260,
        help="These runs are judged by different metrics; all are shown by this one.",
    )
    return str(chosen)


def epoch_metrics(run_ids: Sequence[str]) -> list[str]:
    """Return the metrics of the runs that are logged by epoch, scores first."""
    names = [name for name in reads.metrics_of(run_ids) if not name.startswith(ONCE)]
    return sorted(names, key=lambda name: (not name.startswith("val/"), "/iou/" in name, name))


def one_run() -> str | None:
    """Let the reader choose one run and return its id; the address holds it as ``run``.

    None, and a line that says why, when the store does not have it.
    """
    runs = reads.runs()
    near = [*selection.selected(), *runs.index[_trained(runs)][:NEAR]]
    current = str(st.session_state.get(RUN) or st.query_params.get(RUN) or (near or [""])[0])
    if not current:
        states.no_runs()
        return None
    if not st.session_state.get(RUN) and RUN not in st.query_params:
        st.session_state[RUN] = current
    names = reads.runs([current])["name"]
    st.session_state["pick_run"] = current
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    left.selectbox(
        "Run",
        list(dict.fromkeys([current, *near])),
        key="pick_run",
        on_change=_take_pick,
        format_func=lambda r: label(names.get(r, "not in this store"), r),
    )
    right.text_input("Run id", key=RUN, bind="query-params")
    if current not in names.index:
        states.nothing(f"The store has no run {current}. It may be in another store, or deleted.")
        return None
    return current


def _trained(runs: pd.DataFrame) -> "pd.Series[bool]":
    return ~runs["archived"] & ~runs["kind"].isin(NO_TRAINING)


def _take_pick() -> None:
    st.session_state[RUN] = st.session_state["pick_run"]

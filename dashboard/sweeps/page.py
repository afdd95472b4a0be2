"""Searches: how they stand, what they found, which parameter mattered, one click to each run."""

import streamlit as st

from dashboard.sweeps import reads, sections, trial
from dashboard.ui import navigation, states
from dashboard.ui.named_choice import choose_named
from sweeps.trials import RUNNING, SweepRead
from trainer.wording import counted

LIVE_SECONDS = 2
PARTS = {
    "History": sections.show_history,
    "Parameters": sections.show_parameters,
    "Importance": sections.show_importance,
    "Curves": sections.show_curves,
    "Trade-off": sections.show_front,
    "Trials": sections.show_trials,
}


def main() -> None:
    """Draw the page."""
    st.session_state.pop(trial.PICKED, None)
    names, faults = reads.names()
    for fault in faults:
        st.code(fault, language=None, wrap_lines=True)
    if not names:
        st.subheader("Sweeps", anchor=False)
        states.nothing("This store has no sweep yet. Start one:", states.FIRST_SWEEP)
        return
    name = choose(names)
    sweep = reads.sweep(name)
    live = RUNNING in sweep.counts
    st.session_state["_sweep_live"] = live
    refreshed = LIVE_SECONDS if live else None
    show_head(sweep)
    st.fragment(sections.show_progress, run_every=refreshed)(name)
    number = trial.choose(sweep)
    if sweep.trials.empty:
        states.nothing("No trial has begun yet.")
        return
    if number is not None:
        trial.show_card(sweep, number)
    tabs = st.tabs(list(PARTS), key="sweep_part", bind="query-params")
    for tab, show in zip(tabs, PARTS.values(), strict=True):
        if tab.open:
            with tab:
                st.fragment(show, run_every=refreshed)(name)


def choose(names: list[str]) -> str:
    """Let the reader choose a sweep; the address holds it as ``sweep``."""
    left, right = st.columns([3, 2], vertical_alignment="center")
    left.subheader("Sweeps", anchor=False)
    with right:
        return choose_named("Sweep", names, key="sweep", label_visibility="collapsed")


def show_head(sweep: SweepRead) -> None:
    """Say what was searched, how, and where the study lies."""
    if sweep.description:
        st.text(sweep.description)
    how = [
        f"score: best {sweep.metric}" + (f", mean of {sweep.seeds} seeds" * (sweep.seeds > 1)),
        f"sampler {sweep.sampler}" if sweep.sampler else "",
        f"pruner {sweep.pruner}" if sweep.pruner else "",
        f"{counted(sweep.epochs, 'epoch')} at most" if sweep.epochs else "",
    ]
    with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
        st.text(" · ".join(part for part in how if part))
        if sweep.parent_run_id:
            navigation.page_link("run", "The sweep's own run", run=sweep.parent_run_id)
    if not sweep.from_study:
        st.caption(
            "The study itself is not at hand, so this is what the runs tell: trials that left no "
            "run are missing."
        )
        if why := reads.why_no_study(sweep.name):
            st.code(why, language=None, wrap_lines=True)


main()

"""The filters above the table of runs; each is part of the address."""

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.store import reads, run_table
from trainer.tracking import filtering


def chosen_runs() -> pd.DataFrame:
    """Draw the filters and return the rows of `reads.overview` that pass them."""
    runs, table = reads.runs_and_overview()
    words, experiments, states, more = st.columns([4, 3, 3, 1], vertical_alignment="bottom")
    searched = words.text_input(
        "Search",
        key="search",
        bind="query-params",
        type="search",
        placeholder="name, id, parameter, tag or note",
    )
    experiment = experiments.multiselect(
        "Experiment",
        sorted(set(table["experiment"])),
        key="experiment",
        bind="query-params",
        placeholder="all",
    )
    state = states.multiselect(
        "State", sorted(set(table["state"])), key="state", bind="query-params", placeholder="all"
    )
    with more.popover("Filter"):
        expression = st.text_input(
            "MLflow filter expression",
            key="filter",
            bind="query-params",
            placeholder="params.lr = '0.0001' and metrics.`best/val_dice` > 0.9",
            help="The syntax of MLflow's search; a metric name with a slash goes in backticks.",
        )
        archived = st.toggle("Show archived runs", key="archived", bind="query-params")
        trials = st.toggle(
            "Show the trials of sweeps", value=True, key="trials", bind="query-params"
        )
    passing = _passing(runs, table, searched, experiment, state, expression, archived, trials)
    return table.loc[passing]


def _passing(
    runs: pd.DataFrame,
    table: pd.DataFrame,
    searched: str | None,
    experiments: list[str],
    states: list[str],
    expression: str | None,
    archived: bool,
    trials: bool,
) -> np.ndarray:
    passing = np.ones(len(runs), dtype=bool)
    if not archived:
        passing &= ~runs["archived"].to_numpy(dtype=bool)
    if not trials:
        passing &= runs["parent"].isna().to_numpy()
    if experiments:
        passing &= table["experiment"].isin(experiments).to_numpy()
    if states:
        passing &= table["state"].isin(states).to_numpy()
    if searched:
        passing &= run_table.search(runs, searched)
    if expression:
        try:
            passing &= filtering.matching(runs, expression)
        except ValueError as error:
            st.code(str(error), language=None, wrap_lines=True)
    return passing

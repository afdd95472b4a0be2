"""All runs: find them, sort them, group them, choose some."""

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.display import spread
from dashboard.runs import curation, filters, view_picker
from dashboard.store import reads, run_table
from dashboard.ui import downloads, live, selection, states, tables
from dashboard.ui.choice import one_of
from trainer.wording import counted, measured

ROWS = (200, 1000, 5000)
ORDER, DIRECTION = "order", "direction"
DIRECTIONS = ("highest first", "lowest first")
UNORDERED = ("curve", "name")
ALWAYS = ("best_dice", "best_miou")


def main() -> None:
    """Draw the page."""
    head, view = st.columns([3, 1], vertical_alignment="center")
    with view.container(horizontal=True, gap="small", horizontal_alignment="right"):
        view_picker.view_picker()
        chosen_view = one_of("View", ["Runs", "Groups"], key="view", label_visibility="collapsed")
    live.follow_store()
    found = filters.chosen_runs()
    everything = reads.runs()
    head.subheader(f"Runs: {len(found):,} of {len(everything):,}", anchor=False)
    if found.empty:
        states.nothing("No run matches. Clear the search, the filter or the chosen states.")
        return
    if chosen_view == "Groups":
        show_groups(found)
    else:
        show_runs(found)


def show_runs(found: pd.DataFrame) -> None:
    """Show one row a run, and what can be done with those chosen."""
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        columns = tables.chosen_columns(found)
        ordered, shown_rows = sorted_rows(found, columns)
    shown = ordered.head(shown_rows)
    if {"curve", "ema"} & set(columns):
        shown = reads.with_curves(shown)
    table = run_table.numeric_parameters(shown)[columns]
    order = st.session_state[ORDER]
    tables.selectable(table, columns, order=order, on_header=lambda c: _order_by(c, order))
    if len(ordered) > len(shown):
        st.caption(
            f"The first {len(shown):,} of {len(ordered):,} in this order are listed; a press on a "
            "header orders all."
        )
    curation.actions(selection.selected())
    downloads.save_table(
        run_table.numeric_parameters(ordered)[[c for c in columns if c != "curve"]], "runs"
    )


def sorted_rows(found: pd.DataFrame, columns: list[str]) -> tuple[pd.DataFrame, int]:
    """Let the reader order all runs, listed or not; return them and how many to list."""
    # Addresses that people keep order by these: of one metric, whatever a run monitored.
    options = [c for c in dict.fromkeys((*columns, *ALWAYS)) if c not in UNORDERED]
    key = st.selectbox(
        "Order by",
        options,
        index=options.index("started") if "started" in options else 0,
        format_func=tables.heading,
        key=ORDER,
        bind="query-params",
        width=220,
    )
    direction = st.selectbox(
        "Direction",
        DIRECTIONS,
        key=DIRECTION,
        bind="query-params",
        width=150,
    )
    count = st.selectbox("Rows", ROWS, key="rows", bind="query-params", width=100)
    numbers = run_table.numeric_parameters(found)
    order_of = numbers[key].sort_values(
        ascending=direction == "lowest first", na_position="last", kind="stable"
    )
    return found.loc[order_of.index], count


def _order_by(column: str, before: str) -> None:
    """Order all runs by the column of the header that was pressed, or turn the order round."""
    if column in UNORDERED:
        return
    turned = column == before and st.session_state[DIRECTION] == DIRECTIONS[0]
    st.session_state[ORDER], st.session_state[DIRECTION] = column, DIRECTIONS[turned]


def show_groups(found: pd.DataFrame) -> None:
    """Show means and spreads over the runs that share chosen hyperparameters."""
    names = sorted(c.removeprefix("params.") for c in found.columns if c.startswith("params."))
    names = [n for n in names if found[f"params.{n}"].notna().any()]
    differing = run_table.differing_parameters(found, at_most=3)
    by_column, spread_column = st.columns([4, 1])
    by = by_column.multiselect(
        "Group by",
        names,
        default=[n for n in differing if n in names],
        key="by",
        bind="query-params",
        placeholder="Choose hyperparameters",
    )
    spreads = {"std": "mean ± std", "iqr": "mean, IQR"}
    kind = one_of(
        "Spread", list(spreads), key="spread", where=spread_column, format_func=spreads.__getitem__
    )
    if not by:
        states.nothing("Choose at least one hyperparameter to group by.")
        return
    rows, scores = run_table.grouped(run_table.numeric_parameters(found), by, spread=kind)
    left_out = len(found) - int(run_table.ran_to_their_end(found).sum())
    if rows.empty:
        states.nothing("None of these runs has trained to its end.")
        return
    for name in scores:
        pairs = zip(rows[name], rows[f"{name}_spread"], strict=True)
        rows[f"{name}_text"] = [spread(mean, deviation) for mean, deviation in pairs]
    tables.group_table(rows, by, scores)
    st.caption(
        "Mean over the runs of a group and, behind it, the sample standard deviation or the "
        "inter-quartile range; a single run has neither. Runs that are judged by different "
        "metrics, or of different data, are different groups; "
        f"{counted(left_out, 'run')} that stopped before the end, or are no training, "
        "are left out. Sorted by the headline's mean best."
    )
    save_groups(rows, by, scores)


def save_groups(rows: pd.DataFrame, by: list[str], scores: list[str]) -> None:
    """Offer the groups: numbers for a spreadsheet, mean ± spread in one cell for a paper."""
    labels = {name: tables.heading(name) for name in ("headline", "data", *scores)}
    keys = ["headline", "data", *by, "runs"]
    parts = [column for name in scores for column in (name, f"{name}_spread")]
    spreads = {f"{name}_spread": f"{labels[name]} spread" for name in scores}
    numbers = rows[[*keys, *parts]].rename(columns=labels | spreads)
    downloads.save_table(numbers.set_index(labels["headline"]), "groups", whole=["runs"])
    told = rows[keys].assign(
        **{
            name: [
                measured(mean, deviation) if np.isfinite(mean) else ""
                for mean, deviation in zip(rows[name], rows[f"{name}_spread"], strict=True)
            ]
            for name in scores
        }
    )
    told = told.rename(columns=labels).set_index(labels["headline"])
    downloads.save_table(told, "groups", ("Markdown", "LaTeX"), whole=["runs"])


main()

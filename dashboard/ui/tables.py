"""Tables: any that is read, and those of runs with their formats and the choice of rows."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.store import run_table
from dashboard.ui import navigation, selection

TABLE = "runs_table"
ROW_HEIGHT = 30
NUMBERS = {"score": "%.4f", "count": "%d", "minutes": "%.1f"}


def show(
    table: pd.DataFrame,
    key: str,
    alt: str,
    *,
    row_height: int = 28,
    most: int | None = None,
    **shown: Any,
) -> None:
    """Show a table to be read; ``alt`` says what it holds, ``most`` how many pixels high it may be.

    ``shown`` are options of ``st.dataframe``.
    """
    if most is not None:
        shown["height"] = min(38 + row_height * max(len(table), 3), most)
    st.dataframe(table, key=key, alt=alt, row_height=row_height, **shown)


def heading(column: str) -> str:
    """Return the label of a column of `run_table.overview`."""
    known = run_table.COLUMNS.get(column)
    return known.label if known else column.removeprefix("params.")


def chosen_columns(table: pd.DataFrame) -> list[str]:
    """Let the reader choose columns; at first the usual ones and the parameters that differ."""
    differing = run_table.differing_parameters(table)
    params = [c for c in table.columns if c.startswith("params.") and table[c].notna().any()]
    options = [*run_table.COLUMNS, *params]
    usual = list(run_table.DEFAULT_COLUMNS)
    place = usual.index("curve") + 1
    default = [*usual[:place], *(f"params.{name}" for name in differing), *usual[place:]]
    with st.popover("Columns"):
        chosen = st.multiselect(
            "Columns",
            options,
            default=[c for c in default if c in options],
            key="columns",
            format_func=heading,
            bind="query-params",
            label_visibility="collapsed",
        )
    return chosen or ["name"]


def selectable(
    table: pd.DataFrame, columns: Sequence[str], *, order: str, on_header: Callable[[str], None]
) -> None:
    """Show rows that can be chosen: they join the selection of all pages.

    A press on a header calls ``on_header`` with its column, in a callback; ``order`` is the column
    that the rows are in the order of. The browser's own sorting knows the listed rows alone.
    """
    ids = list(table.index)
    chosen = set(selection.selected())
    listed = [column for column in (order,) if column in columns]
    key = f"{TABLE}_{hash((tuple(ids), tuple(columns), order))}"
    show(
        table,
        key,
        "Runs: one row each; choose rows to compare them",
        row_height=ROW_HEIGHT,
        most=640,
        hide_index=True,
        column_order=["name", *(c for c in columns if c != "name")],
        column_config=column_config(table) | {"name": _name_column(ids)},
        on_select=lambda: _take(key, ids, listed, on_header),
        selection_mode=("multi-row", "single-column"),
        selection_default={
            "selection": {
                "rows": [i for i, r in enumerate(ids) if r in chosen],
                "columns": listed,
            }
        },
        placeholder="",
    )


def column_config(table: pd.DataFrame) -> dict[str, Any]:
    """Return how each column of a table of runs is shown."""
    return {column: _configured(column, table) for column in table.columns}


def group_table(rows: pd.DataFrame, by: Sequence[str], scores: Sequence[str]) -> None:
    """Show the groups of `run_table.grouped` with their means and spreads as text."""
    labels = {name: run_table.COLUMNS[name].label for name in scores}
    config: dict[str, Any] = {"runs": st.column_config.NumberColumn("Runs", format="%d")}
    config |= {name: _configured(name, rows) for name in ("headline", "data")}
    # Too narrow a column would cut the first digits off.
    config |= {
        f"{name}_text": st.column_config.TextColumn(label, alignment="right", width=130)
        for name, label in labels.items()
    }
    config |= {
        name: st.column_config.NumberColumn(name, format="%.4g", width=92)
        for name in by
        if pd.api.types.is_numeric_dtype(rows[name])
    }
    show(
        rows,
        "groups_table",
        "Groups of runs with mean and spread of each score",
        row_height=ROW_HEIGHT,
        most=640,
        hide_index=True,
        column_order=["headline", "data", *by, "runs", *(f"{name}_text" for name in scores)],
        column_config=config,
        placeholder="",
    )


def _configured(column: str, table: pd.DataFrame) -> Any:
    kinds = st.column_config
    known = run_table.COLUMNS.get(column)
    if known is None:
        if pd.api.types.is_numeric_dtype(table[column]):
            return kinds.NumberColumn(heading(column), format="%.4g", width=92)
        return kinds.TextColumn(heading(column))
    label, help_text = known.label, known.help
    if known.kind in NUMBERS:
        return kinds.NumberColumn(label, help=help_text, format=NUMBERS[known.kind])
    if known.kind == "age":
        return kinds.DatetimeColumn(label, help=help_text, format="distance")
    if known.kind == "spark":
        lowest = min((float(min(v)) for v in table[column] if v is not None), default=0.0)
        return kinds.LineChartColumn(label, help=help_text, width=120, y_min=lowest, y_max=1)
    return kinds.TextColumn(label, help=help_text, width=105 if column == "state" else None)


def _name_column(ids: list[str]) -> Any:
    return st.column_config.ButtonColumn(
        "Run",
        width=190,
        pinned=True,
        type="tertiary",
        alignment="left",
        key="open_run",
        help="Press a name to open its run",
        on_click=navigation.open_clicked,
        args=("open_run", "run", [{"run": run_id} for run_id in ids]),
    )


def _take(
    key: str, ids: list[str], ordered_by: list[str], on_header: Callable[[str], None]
) -> None:
    state = st.session_state[key]["selection"]
    if state["columns"] != ordered_by:
        # A second press on the same header takes it back, which is to turn the order round.
        on_header((state["columns"] or ordered_by)[0])
    _take_rows(state["rows"], ids)


def _take_rows(rows: Sequence[int], ids: list[str]) -> None:
    listed = set(ids)
    elsewhere = [run_id for run_id in selection.selected() if run_id not in listed]
    chosen = [ids[row] for row in rows if row < len(ids)]
    before = [run_id for run_id in selection.selected() if run_id in chosen]
    selection.select([*elsewhere, *before, *(r for r in chosen if r not in before)])

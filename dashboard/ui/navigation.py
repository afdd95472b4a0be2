"""From one page to another, with the address that reopens the view."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.ui import selection

PENDING = "_open_page"
FOLDERS = Path(__file__).parents[1]


def page(name: str, title: str, *, default: bool = False) -> Any:
    """Return the page of the folder ``name``, which is its address too, for the router."""
    return st.Page(FOLDERS / name / "page.py", title=title, url_path=name, default=default)


def open_page(name: str, **params: str) -> None:
    """Go to the page ``name`` (its folder's) with query parameters; keeps the selection.

    Works in a callback too: the page is then switched when the app runs next.
    """
    st.session_state[PENDING] = (name, dict(params))


def follow() -> None:
    """Switch to the page that a callback asked for; the router calls this once a run."""
    pending = st.session_state.pop(PENDING, None)
    if pending is not None:
        name, params = pending
        # A parameter that a widget is bound to can only be given through the widget's state.
        bound = {key for key in params if key in st.session_state}
        for key in bound:
            st.session_state[key] = params[key]
        free = {key: value for key, value in params.items() if key not in bound}
        st.switch_page(str(FOLDERS / name / "page.py"), query_params=free)


def page_link(name: str, label: str, *, help: str | None = None, **params: str | list[str]) -> None:
    """Show a link to the page ``name`` with query parameters; keeps the selection."""
    st.page_link(
        str(FOLDERS / name / "page.py"), label=label, help=help, query_params=with_selection(params)
    )


def open_clicked(key: str, name: str, rows: Sequence[Mapping[str, str]]) -> None:
    """Open the page ``name`` for the row of a table whose button was pressed; a callback.

    ``rows`` has the query parameters of each; a row without any opens nothing.
    """
    row = st.session_state[key]["row"]
    if row < len(rows) and rows[row]:
        open_page(name, **rows[row])


def with_selection(params: Mapping[str, str | list[str]]) -> dict[str, str | list[str]]:
    """Return query parameters with the selected runs added, unless they choose others."""
    chosen = ",".join(selection.selected())
    return {**({selection.KEY: chosen} if chosen else {}), **params}

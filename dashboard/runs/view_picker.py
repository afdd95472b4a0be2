"""Saved views of the table of runs: open one, save this one, forget one."""

from typing import Any
from urllib.parse import parse_qs, urlencode

import streamlit as st

from dashboard.display import plain
from dashboard.runs import saved_views
from dashboard.store import reads
from dashboard.ui import navigation


def view_picker() -> None:
    """Draw the saved views and, unless the dashboard is read-only, how to keep this one."""
    saved = saved_views.saved_views()
    with st.popover("Views"):
        for name, query in saved.items():
            params: dict[str, Any] = parse_qs(query)
            navigation.page_link("runs", plain(name), **params)
        if not saved:
            st.caption("A view is the search, the filters, the columns and the order by a name.")
        if reads.settings().read_only:
            return
        with st.form("save_view", border=False):
            name = st.text_input("Name", max_chars=saved_views.MAX_NAME, key="view_name")
            if st.form_submit_button("Save this view"):
                _save(name or "")
        if saved:
            gone = st.selectbox(
                "Forget", list(saved), index=None, key="forget_view", placeholder="a view"
            )
            if gone is not None and st.button("Forget it", key="forget"):
                saved_views.delete_view(gone)
                st.rerun()


def _save(name: str) -> None:
    try:
        saved_views.save_view(name, urlencode(list(_query())))
    except ValueError as error:
        st.text(str(error))
        return
    st.toast("View saved")
    st.rerun()


def _query() -> list[tuple[str, str]]:
    keys = [key for key in st.query_params if key != "runs"]
    return [(key, value) for key in keys for value in st.query_params.get_all(key)]

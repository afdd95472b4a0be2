"""The runs that the reader has chosen: one selection for all pages, kept in the address."""

from collections.abc import Sequence

import streamlit as st

from dashboard.display import shortened
from dashboard.store import reads
from trainer.wording import counted

KEY = "runs"
AT_MOST = 200


def selected() -> list[str]:
    """Return the ids of the chosen runs that the store has, in the order chosen."""
    chosen = _ids()
    known = reads.runs(chosen).index
    return [run_id for run_id in chosen if run_id in known]


def select(run_ids: Sequence[str]) -> None:
    """Choose these runs; only in a callback, before the sidebar is drawn."""
    st.session_state[KEY] = ",".join(dict.fromkeys(run_ids[:AT_MOST]))


def keep_in_address() -> None:
    """Draw the selection in the sidebar and bind it to the address; once a run of the app."""
    count = len(_ids())
    st.text(f"{counted(count, 'run') if count else 'No runs'} selected")
    if count:
        names = reads.runs(_ids())["name"].reindex(_ids()).fillna("not in this store")
        lines = [f"{shortened(name, 26)} · {str(r)[:6]}" for r, name in names.head(12).items()]
        st.text("\n".join(lines) + (f"\nand {count - 12} more" if count > 12 else ""))
        st.button("Clear the selection", on_click=select, args=([],), key="clear_selection")
    with st.expander("Run ids", expanded=False):
        st.text_input("Selected run ids, separated by commas", key=KEY, bind="query-params")


def _ids() -> list[str]:
    given = str(st.session_state.get(KEY) or st.query_params.get(KEY, ""))
    return list(dict.fromkeys(part.strip() for part in given.split(",") if part.strip()))

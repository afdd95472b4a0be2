"""A choice that the address always holds, the first option too."""

from collections.abc import Sequence
from typing import Any

import streamlit as st


def choose_named(label: str, options: Sequence[str], *, key: str, **shown: Any) -> str:
    """Let the reader choose one of some names, the first at first; at least one must be given.

    A widget leaves its default out of the address. Which name is first changes as sweeps, models
    and versions come, and then the address would open another view.
    """
    given = st.session_state.get(key) or st.query_params.get(key)
    if given not in options:
        st.session_state[key] = options[0]
    elif not st.session_state.get(key) and key not in st.query_params:
        st.session_state[key] = given
    chosen = st.selectbox(label, options, index=None, key=key, bind="query-params", **shown)
    return options[0] if chosen is None else str(chosen)

"""A choice that the address always holds, the first option and a clicked one too.

A bound widget leaves its default out of the address, and what a callback chose. Which name comes
first changes as sweeps, models and versions come, and then the address would open another view.
"""

from collections.abc import Sequence
from typing import Any

import streamlit as st


def choose_named(label: str, options: Sequence[str], *, key: str, **shown: Any) -> str:
    """Let the reader choose one of some names, the first at first; at least one must be given.

    The address holds it as ``key``.
    """
    _take_given(options, key)
    if st.session_state.get(widget_key(key)) is None:
        st.session_state[widget_key(key)] = options[0]
    chosen = str(st.selectbox(label, options, key=widget_key(key), **shown))
    st.query_params[key] = chosen
    return chosen


def choose_number(label: str, options: Sequence[int], *, key: str, **shown: Any) -> int | None:
    """Let the reader choose one of some numbers or none, which is how it starts.

    The address holds it as ``key``.
    """
    _take_given([str(option) for option in options], key, kind=int)
    chosen = st.selectbox(label, options, index=None, key=widget_key(key), **shown)
    if chosen is None:
        st.query_params.pop(key, None)
        return None
    st.query_params[key] = str(chosen)
    return int(chosen)


def choose(key: str, value: str | int | None) -> None:
    """Choose for the reader; only in a callback."""
    st.session_state[widget_key(key)] = value


def chosen(key: str) -> Any:
    """Return what is chosen; None before the first time."""
    return st.session_state.get(widget_key(key))


def widget_key(key: str) -> str:
    """Return the key of the widget, which is not that of the address: it is not bound to it."""
    return f"chosen_{key}"


def _take_given(options: Sequence[str], key: str, kind: type = str) -> None:
    current = chosen(key)
    given = st.query_params.get(key) if current is None else None
    if given in options:
        choose(key, kind(given))
    elif current is not None and str(current) not in options:
        choose(key, None)  # Of the sweep or model that was shown before.

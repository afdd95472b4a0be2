"""Who may look: Streamlit's OpenID Connect login when the dashboard was started with it."""

import streamlit as st

from dashboard.settings import Settings


def require(settings: Settings) -> None:
    """Stop the page until the reader has logged in, where ``--login`` asks for it."""
    if not settings.login or st.user.is_logged_in:
        return
    st.subheader("Segscope")
    st.button("Log in", on_click=st.login, type="primary", key="log_in")
    st.stop()

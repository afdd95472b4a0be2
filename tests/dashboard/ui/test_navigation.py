"""From a table to the page of a row."""

import pytest
import streamlit as st

from dashboard.ui import navigation


@pytest.mark.parametrize(
    ("row", "opened"),
    [(0, ("run", {"run": "a", "part": "Files"})), (1, None), (2, ("run", {"run": "c"})), (3, None)],
)
def test_a_pressed_row_opens_its_page(
    row: int, opened: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(st, "session_state", {"button": {"row": row}})
    rows: list[dict[str, str]] = [{"run": "a", "part": "Files"}, {}, {"run": "c"}]
    navigation.open_clicked("button", "run", rows)
    assert st.session_state.get(navigation.PENDING) == opened

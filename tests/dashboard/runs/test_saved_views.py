"""Saved views."""

from pathlib import Path

import pytest

from dashboard.runs import saved_views


def test_a_view_is_kept_and_forgotten(tmp_path: Path) -> None:
    assert saved_views.saved_views(tmp_path) == {}
    saved_views.save_view(" best ", "order=MDD&state=failed", tmp_path)
    saved_views.save_view("other", "search=x", tmp_path)
    assert saved_views.saved_views(tmp_path) == {
        "best": "order=MDD&state=failed",
        "other": "search=x",
    }
    saved_views.save_view("best", "order=Dips", tmp_path)
    saved_views.delete_view("other", tmp_path)
    saved_views.delete_view("never there", tmp_path)
    assert saved_views.saved_views(tmp_path) == {"best": "order=Dips"}


@pytest.mark.parametrize("name", ["", "  ", "x" * 61])
def test_a_bad_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="view: "):
        saved_views.save_view(name, "", tmp_path)


def test_a_broken_file_is_no_view(tmp_path: Path) -> None:
    (tmp_path / "views.json").write_text("{")
    assert saved_views.saved_views(tmp_path) == {}

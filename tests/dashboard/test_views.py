"""Saved views."""

from pathlib import Path

import pytest

from dashboard import views


def test_a_view_is_kept_and_forgotten(tmp_path: Path) -> None:
    assert views.saved_views(tmp_path) == {}
    views.save_view(" best ", "order=MDD&state=failed", tmp_path)
    views.save_view("other", "search=x", tmp_path)
    assert views.saved_views(tmp_path) == {"best": "order=MDD&state=failed", "other": "search=x"}
    views.save_view("best", "order=Dips", tmp_path)
    views.delete_view("other", tmp_path)
    views.delete_view("never there", tmp_path)
    assert views.saved_views(tmp_path) == {"best": "order=Dips"}


@pytest.mark.parametrize("name", ["", "  ", "x" * 61])
def test_a_bad_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="view: "):
        views.save_view(name, "", tmp_path)


def test_a_broken_file_is_no_view(tmp_path: Path) -> None:
    (tmp_path / "views.json").write_text("{")
    assert views.saved_views(tmp_path) == {}

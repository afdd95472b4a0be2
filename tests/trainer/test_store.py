"""Where things lie, worked out at the moment of the call."""

from pathlib import Path
from urllib.parse import quote

import pytest

from trainer.store import (
    artifacts_folder,
    cache_folder,
    local_folder,
    sqlite_path,
    tracking_uri,
    without_password,
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_by_default_everything_lies_in_mlruns(here: Path) -> None:
    assert tracking_uri() == "sqlite:///mlruns/mlflow.db"
    assert local_folder() == here / "mlruns"
    assert artifacts_folder() == here / "mlruns" / "artifacts"
    assert cache_folder() == here / "mlruns" / "cache"


def test_the_working_directory_moves_the_store(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = local_folder()
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    assert before == here / "mlruns"
    assert local_folder() == here / "elsewhere" / "mlruns"


def test_the_environment_moves_the_store(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{here}/lab/runs.db")
    assert local_folder() == here / "lab"
    assert artifacts_folder() == here / "lab" / "artifacts"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert tracking_uri() == "sqlite:///mlruns/mlflow.db"


def test_a_server_keeps_the_artifacts_and_the_cache_stays_here(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert artifacts_folder() is None
    assert local_folder() == here / "mlruns"
    assert cache_folder() == here / "mlruns" / "cache"


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("sqlite:////a/b.db", "/a/b.db"),
        ("sqlite:////a%20b/c.db", "/a b/c.db"),
        ("sqlite:////a b/c.db", "/a b/c.db"),
        ("sqlite:////a/b.db?timeout=5", "/a/b.db"),
        ("http://host/sqlite:///a", None),
        ("postgresql+psycopg://user@host/db", None),
        ("sqlite://", None),
    ],
)
def test_the_file_of_a_database(uri: str, path: str | None) -> None:
    assert sqlite_path(uri) == (None if path is None else Path(path))


@pytest.mark.parametrize("uri", ["sqlite:////a%20b/c+d.db", "sqlite:////a b/c%25.db?timeout=5"])
def test_sqlalchemy_opens_the_same_file(uri: str) -> None:
    from sqlalchemy.engine import make_url

    assert str(sqlite_path(uri)) == make_url(uri).database


@pytest.mark.parametrize("rest", ["b/c.db", "b=c/d.db", "b.db", "timeout=5&b.db"])
def test_a_question_mark_in_a_name_is_refused_where_it_is_not_quoted(rest: str) -> None:
    with pytest.raises(ValueError, match=r"^sqlite:////a\?.*: write %3F for a \? in the name"):
        sqlite_path(f"sqlite:////a?{rest}")
    quoted = quote(f"/a?{rest}")
    assert sqlite_path(f"sqlite:///{quoted}?timeout=5&mode=ro") == Path(f"/a?{rest}")


def test_looking_creates_nothing(here: Path) -> None:
    local_folder(), artifacts_folder(), cache_folder()
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://user:secret@host:5000", "http://user:***@host:5000"),
        ("https://user:se%40cret@host/path?x=1", "https://user:***@host/path?x=1"),
        ("http://user:s#ecret@host", "http://user:***@host"),
        ("postgresql+psycopg://me:secret@host:5432/db", "postgresql+psycopg://me:***@host:5432/db"),
        ("postgresql://host/db?user=me&password=secret", "postgresql://host/db?user=me"),
        ("redis://:secret@host/0", "redis://:***@host/0"),
        # What cannot be read is not shown, since nobody knows where its password is.
        ("postgresql://me:se:cr@secret@host/db", "postgresql://…"),
        ("postgresql://me:secret@host:port/db", "postgresql://…"),
        ("databricks://profile:secret", "databricks://…"),
        # Without a password it is the same address, quoted as it was.
        ("sqlite:////where/a%20b.db", "sqlite:////where/a%20b.db"),
        ("http://user@host", "http://user@host"),
        ("http://[::1]:5000/", "http://[::1]:5000/"),
        ("/data/a@b/optuna.journal", "/data/a@b/optuna.journal"),
        ("databricks", "databricks"),
    ],
)
def test_an_address_is_shown_without_its_password(uri: str, shown: str) -> None:
    assert without_password(uri) == shown

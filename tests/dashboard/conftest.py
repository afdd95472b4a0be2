"""A store of made-up runs, and the app on it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from trainer.tracking import reading

APP = Path(__file__).parents[2] / "dashboard" / "app.py"


@pytest.fixture
def full_store(drawn_store: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Point everything at the small store and return its address."""
    uri = f"sqlite:///{drawn_store}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return uri


@pytest.fixture
def own_store(drawn_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the address of a copy of the small store that a test may change."""
    shutil.copy(drawn_store / "mlflow.db", tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("SEGSCOPE_ARTIFACT_ROOTS", str(drawn_store))  # the runs' files stay there
    return uri


@pytest.fixture
def open_app() -> Callable[..., AppTest]:
    """Open a page of the app with query parameters; fails when the page raised."""

    def run(page: str | None = None, **params: str) -> AppTest:
        app = AppTest.from_file(str(APP), default_timeout=60)
        for key, value in params.items():
            app.query_params[key] = value
        app.run()
        if page not in (None, "runs"):  # Runs is the page that opens first.
            app.switch_page(f"{page}/page.py")
            for key, value in params.items():
                app.query_params[key] = value
            app.run()
        assert not app.exception, app.exception[0].stack_trace if app.exception else ""
        return app

    return run


@pytest.fixture
def run_named() -> Callable[[str], str]:
    """Return the id of a run by its name."""

    def find(name: str) -> str:
        runs = reading.list_runs()
        return str(runs.index[runs["name"] == name][0])

    return find

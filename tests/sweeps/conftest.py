"""What the tests of sweeps share: small specs, and training that is only pretended."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sweeps.spec import SweepSpec, from_plain
from trainer.tracking.client import client

SPACE: dict[str, Any] = {"lr": {"low": 1e-5, "high": 1e-1, "log": True}}


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return MLflow's database as it is when new: making one takes seconds, a copy nothing."""
    path = tmp_path_factory.mktemp("template") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
        client()
    return path


@pytest.fixture
def store(store: Path, empty_database: Path) -> Path:
    """Return the folder of this test's own store, its database already there."""
    with (
        contextlib.closing(sqlite3.connect(empty_database)) as template,
        contextlib.closing(sqlite3.connect(store / "mlflow.db")) as copy,
    ):
        template.backup(copy)
    return store


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch, store: Path) -> ModuleType:
    """Return the module of pretended training, importable by its name in worker processes."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import pretend

    return pretend


@pytest.fixture
def spec() -> Callable[..., SweepSpec]:
    """Return a function that makes a spec over the learning rate, with some keys changed."""

    def make(**keys: Any) -> SweepSpec:
        return from_plain({"name": "test", "space": SPACE, "trials": 6, "epochs": 4, **keys})

    return make

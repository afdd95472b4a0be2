"""Fixtures that every part of the tests shares."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """Return the folder of a real data set by name; skips the test where it is absent."""

    def find(name: str) -> Path:
        folder = Path(os.environ.get("SEGSCOPE_REAL_DATA", ROOT.parent / "shared" / "data")) / name
        if not folder.is_dir():
            pytest.skip(f"the real data set {name} is not here (set SEGSCOPE_REAL_DATA)")
        return folder

    return find


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point everything at an empty store of this test's own and return its folder."""
    folder = tmp_path / "mlruns"
    folder.mkdir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
    return folder

"""A small sweep that was really trained, and its report."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeps.reporting.facts import Facts, gather
from sweeps.search import start
from sweeps.spec_reading import from_plain
from sweeps.study import load

HOSTILE = '<script>alert(1)</script> & "q" | $x$ \\input{a} [l](http://e.example) \x1b[2J'


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, cars: Path) -> Path:
    """Return the folder of a sweep ``rates``: two learning rates, two seeds each, hostile words."""
    folder = tmp_path_factory.mktemp("reported")
    plain = {
        "name": "rates",
        "description": HOSTILE,
        "fixed": {
            "data": str(cars),
            "image_size": [32, 48],
            "base_channels": 4,
            "depth": 2,
            "epochs": 8,
            "batch_size": 4,
            "val_fraction": 0.7,
            "test_fraction": 0.15,
            "samples": 2,
            "cache": "ram",
        },
        "space": {"lr": [3e-2, 1e-6]},
        "sampler": "grid",
        "pruner": "none",
        "seeds": 2,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        start(from_plain(plain), None)
    return folder


@pytest.fixture
def in_store(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Point everything at the store of `trained`, which is only read."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{trained}/mlflow.db")
    yield trained


@pytest.fixture
def facts(in_store: Path) -> Facts:
    """Return what the report of `trained` is made of."""
    return gather(load("rates", None, reading=True))

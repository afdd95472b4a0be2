"""What the tests of sweeps share: small specs, and training that is only pretended."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sweeps.spec import SweepSpec
from sweeps.spec_reading import from_plain

SPACE: dict[str, Any] = {"lr": {"low": 1e-5, "high": 1e-1, "log": True}}


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch, store: Path) -> ModuleType:
    """Return the module of pretended training, importable by its name in worker processes."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import pretend

    return pretend


@pytest.fixture
def spec(cars: Path) -> Callable[..., SweepSpec]:
    """Return a function that makes a spec over the learning rate, with some keys changed."""
    usual = {"name": "test", "space": SPACE, "trials": 6, "epochs": 4}

    def make(fixed: Mapping[str, Any] | None = None, **keys: Any) -> SweepSpec:
        return from_plain(usual | {"fixed": {"data": str(cars), **(fixed or {})}} | keys)

    return make

"""Every preset runs to its end made smaller, and its report is written in every form."""

from pathlib import Path

import pytest

from sweeps.reporting.facts import gather
from sweeps.reporting.forms import in_text
from sweeps.reporting.page import html
from sweeps.reporting.tables import TABLES
from sweeps.search import start
from sweeps.spec import with_changes
from sweeps.spec_reading import PRESETS, read_spec
from sweeps.study import load

SMALLER = {
    "epochs": 1,
    "image_size": (32, 48),
    "base_channels": 2,
    "batch_size": 8,
    "fraction": 1.0,
    "samples": 1,
    "val_fraction": 0.25,
    "cache": "ram",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_completes_made_smaller(name: str, cars: Path, store: Path) -> None:
    base = read_spec(name)
    smaller = {field: value for field, value in SMALLER.items() if field not in base.space}
    spec = read_spec(name, overrides={**smaller, "data": str(cars)})
    summary = start(with_changes(spec, trials=2, seeds=1), None)
    assert summary.complete == 2
    assert summary.best is not None
    facts = gather(load(name, None, reading=True))
    assert len(facts.configurations) == 2
    assert all(
        in_text(facts, form, table) for form in ("markdown", "csv", "latex") for table in TABLES
    )
    assert "How it was made" in html(facts)

from pathlib import Path

import pytest

from trainer.analysis.definitions import DEFINITIONS
from trainer.analysis.diagnosis import RULES
from trainer.analysis.ratios import RATIOS

TEXT = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")
ROWS = [line for line in TEXT.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("key", [*DEFINITIONS, *RATIOS])
def test_every_key_has_a_row(key: str) -> None:
    assert any(f"`{key}`" in row.split("|")[1] for row in ROWS)


@pytest.mark.parametrize("key", DEFINITIONS)
def test_names_are_those_of_the_pages(key: str) -> None:
    (row,) = [row for row in ROWS if f"`{key}`" in row]
    assert DEFINITIONS[key].name in row


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_a_row(rule: str) -> None:
    assert any(row.startswith(f"| {rule} |") for row in ROWS)

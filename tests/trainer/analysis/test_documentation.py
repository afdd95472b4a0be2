import re
from pathlib import Path

import pytest

from trainer.analysis.definitions import DEFINITIONS
from trainer.analysis.diagnosis import RULES
from trainer.analysis.score_table import SCORES, Score

TEXT = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")
ROWS = [line for line in TEXT.splitlines() if line.startswith("|")]
DIRECTION = {True: "higher", False: "lower", None: "–"}


@pytest.mark.parametrize("key", DEFINITIONS)
def test_every_key_has_a_row(key: str) -> None:
    assert any(f"`{key}`" in row.split("|")[1] for row in ROWS)


def row_of(key: str, score: Score) -> str:
    """Return the row of the table of scores that says what the table in the code says."""
    direction = DIRECTION[score.higher_is_better]
    return f"| `{key}` | {score.label} | {score.definition} | {score.counts} | {direction} |"


def undocumented(scores: dict[str, Score]) -> list[str]:
    return [key for key, score in scores.items() if row_of(key, score) not in ROWS]


def test_every_score_is_documented_as_it_is_computed() -> None:
    assert not undocumented(SCORES)


def test_no_score_is_documented_that_is_not_there() -> None:
    section = TEXT.partition("## Segmentation quality")[2].partition("\n#")[0]
    documented = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert documented == list(SCORES)


@pytest.mark.parametrize("key", DEFINITIONS)
def test_names_are_those_of_the_pages(key: str) -> None:
    (row,) = [row for row in ROWS if f"`{key}`" in row]
    assert DEFINITIONS[key].name in row


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_a_row(rule: str) -> None:
    assert any(row.startswith(f"| {rule} |") for row in ROWS)

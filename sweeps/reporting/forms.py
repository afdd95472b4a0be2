"""A sweep's report as text on a terminal or in a file, and as JSON."""

from typing import Any

from sweeps.reporting.facts import Facts
from sweeps.reporting.markdown import markdown
from sweeps.reporting.tables import TABLES
from sweeps.reporting.words import best_line, conclusions
from trainer.tables import written


def in_text(facts: Facts, form: str, table: str | None) -> str:
    """Return the whole report in Markdown; one table where it is named, or the form is another."""
    if table is None and form == "markdown":
        return markdown(facts)
    return written(TABLES[table or "configurations"](facts), form, concluded(facts))


def concluded(facts: Facts) -> list[str]:
    """Return what stands beneath a table: what may be concluded; where that is nothing, why."""
    said = conclusions(facts)
    return [best_line(facts), *(said.may or said.may_not[:1])]


def in_json(facts: Facts) -> dict[str, Any]:
    """Return the report as plain values."""
    evaluator, fields = facts.importance
    tables = {name: TABLES[name](facts).numbers() for name in ("configurations", "epochs")}
    return {
        **facts.summary.to_json(),
        "test": facts.test,
        "rows": [trial.to_json() for trial in facts.trials],
        "importance": {"evaluator": evaluator, "fields": fields},
        **{name: found.reset_index().to_dict("records") for name, found in tables.items()},
        "verdicts": [pair.to_json() for pair in facts.pairs],
    }

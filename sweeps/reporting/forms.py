"""A sweep's report as text on a terminal or in a file, and as JSON."""

from typing import Any

from sweeps.reporting.facts import Facts
from sweeps.reporting.markdown import markdown
from sweeps.reporting.tables import TABLES
from trainer import exports

FORMATS = {"markdown": exports.markdown, "csv": exports.csv, "latex": exports.latex}


def in_text(facts: Facts, form: str, table: str | None) -> str:
    """Return the whole report in Markdown; one table where it is named, or the form is another."""
    if table is None and form == "markdown":
        return markdown(facts)
    found = TABLES[table or "configurations"](facts)
    return FORMATS[form](found.numbers() if form == "csv" else found.as_text())


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

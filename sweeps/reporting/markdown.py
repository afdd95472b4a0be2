"""A sweep's report in Markdown: what was searched, tables, what may be concluded, all trials."""

from sweeps.reporting.facts import Facts
from sweeps.reporting.outcome import count_line, no_importance
from sweeps.reporting.tables import (
    by_configuration,
    by_epoch,
    of_dips,
    of_importance,
    of_test,
    of_trials,
)
from sweeps.reporting.words import best_line, conclusions, findings, score_line
from trainer import exports
from trainer.tables import Table
from trainer.wording import markdown_cell


def markdown(facts: Facts) -> str:
    """Return the report of a sweep as it stands."""
    spec, said = facts.spec, conclusions(facts)
    space = [f"{name}: {dimension}" for name, dimension in spec.space.items()]
    parts = [
        f"# Sweep {markdown_cell(spec.name)}",
        markdown_cell(spec.description),
        f"**{markdown_cell(best_line(facts))}**",
        markdown_cell(count_line(facts.summary)),
        markdown_cell(score_line(spec)),
        _list(space),
        "## What may be concluded",
        _list(said.may) or "Of the configurations, nothing.",
        "## What may not",
        _list(said.may_not),
    ]
    if facts.configurations:
        parts += ["## Configurations", _table(by_configuration(facts))]
        parts += ["## Score per epoch", _table(by_epoch(facts))]
    dips = of_dips(facts)
    diagnosed = [f"{c.label}, run {r[:8]}: {' '.join(told)}" for c, r, told in findings(facts)]
    if dips.labels or diagnosed:
        parts += ["## Dips, and what the curves say", _list(diagnosed)]
        parts.append(_table(dips) if dips.labels else "")
    if facts.test:
        parts += ["## The best trial on the test images", _table(of_test(facts))]
    parts += ["## Trials", _table(of_trials(facts)), "## Importance"]
    evaluator, shares = facts.importance
    none = no_importance(evaluator, facts.summary.complete)
    parts.append(none if shares is None else _table(of_importance(facts)))
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(table: Table) -> str:
    return exports.markdown(table.as_text())


def _list(sentences: list[str]) -> str:
    return "\n".join(f"- {markdown_cell(sentence)}" for sentence in sentences)

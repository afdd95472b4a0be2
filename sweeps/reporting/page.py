"""A sweep's report as one page of HTML: no script, nothing fetched, for the screen and for A4."""

from importlib.resources import files

import yaml

from sweeps.reporting.drawing import Line, curves
from sweeps.reporting.elements import Child, Element, element, listed, page
from sweeps.reporting.facts import Facts
from sweeps.reporting.outcome import count_line, no_importance
from sweeps.reporting.pictures import samples
from sweeps.reporting.tables import (
    by_configuration,
    by_epoch,
    epoch_scores,
    of_dips,
    of_importance,
    of_test,
    of_trials,
    of_verdicts,
)
from sweeps.reporting.words import best_line, conclusions, findings, how_made, score_line
from trainer.analysis.dips import DIP_DRAWDOWN, RECOVERY_MARGIN
from trainer.analysis.score_table import title
from trainer.tables import Table

# Whatever a name holds, the page runs and fetches nothing.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def html(facts: Facts) -> str:
    """Return the report of a sweep as it stands."""
    style = (files("sweeps") / "reporting" / "page.css").read_text("utf-8")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"Sweep {facts.spec.name}"),
        element("style", style),
    )
    parts = [
        _heading,
        _configurations,
        _on_test,
        _epochs,
        _dips,
        _samples,
        _verdicts,
        _trials,
        _how_made,
    ]
    body = element("body", *(child for part in parts for child in part(facts)))
    return page(element("html", head, body, lang="en"))


def _table(found: Table, *, emphasised: str | None = None) -> Element:
    """Return a table; the row called ``emphasised`` stands out."""
    frame = found.as_text()
    kinds = ["text" if column.is_text else "number" for column in found.columns]
    names = [
        element("th", name, scope="col", class_=kind)
        for name, kind in zip([found.index, *frame.columns], ["text", *kinds], strict=True)
    ]
    rows = [
        element(
            "tr",
            element("th", str(label), scope="row"),
            *(element("td", cell, class_=kind) for cell, kind in zip(cells, kinds, strict=True)),
            class_="best" if label == emphasised else "",
        )
        for label, cells in zip(found.labels, frame.to_numpy(dtype=object), strict=True)
    ]
    head, body = element("thead", element("tr", *names)), element("tbody", *rows)
    return element("div", element("table", head, body), class_="wide")


def _heading(facts: Facts) -> list[Child]:
    said, spec = conclusions(facts), facts.spec
    may = listed(said.may) if said.may else element("p", "Of the configurations, nothing.")
    space = [f"{name}: {dimension}" for name, dimension in spec.space.items()]
    return [
        element("h1", f"Sweep {spec.name}"),
        element("p", spec.description),
        element("p", best_line(facts), class_="best-line"),
        element("p", f"{count_line(facts.summary)} {score_line(spec)}", class_="quiet"),
        element("p", f"Searched: {'; '.join(space)}.", class_="quiet"),
        element(
            "div",
            element("div", element("h2", "What may be concluded"), may, class_="may"),
            element("div", element("h2", "What may not"), listed(said.may_not), class_="may-not"),
            class_="conclusions",
        ),
    ]


def _configurations(facts: Facts) -> list[Child]:
    if not facts.configurations:
        return []
    best = facts.winner.label if facts.winner else None
    return [
        element("h2", "Configurations"),
        _table(by_configuration(facts), emphasised=best),
        element(
            "p",
            "Scores are of each run's best epoch, mean ± standard deviation over seeds where there "
            "are several. Train time holds the validation after each epoch; predict time is that "
            "of the validation, in batches, the median epoch's.",
            class_="quiet",
        ),
    ]


def _on_test(facts: Facts) -> list[Child]:
    if not facts.test:
        return []
    told = "Nothing was chosen by these, so they are of the best trial alone."
    return [
        element("h2", "The best trial on the test images"),
        _table(of_test(facts)),
        element("p", told, class_="quiet"),
    ]


def _epochs(facts: Facts) -> list[Child]:
    if not facts.configurations:
        return []
    lines = []
    for configuration in facts.configurations:
        scores = epoch_scores(facts, configuration)
        fallen = {d.epoch for r in configuration.run_ids for d in facts.dips(r)}
        lines.append(Line(label=configuration.label, scores=scores, dips=sorted(fallen)))
    return [
        element("h2", "Score per epoch"),
        curves(lines, y=title(facts.spec.metric)),
        _table(by_epoch(facts)),
    ]


def _dips(facts: Facts) -> list[Child]:
    found = of_dips(facts)
    made: list[Child] = [element("h2", "Dips, and what the curves say")]
    made.append(
        element(
            "p",
            "A dip is an epoch that falls out of line with its neighbours and lies more than "
            f"{DIP_DRAWDOWN:g} below the best so far; it is over within {RECOVERY_MARGIN:g} of "
            "that. Dips are ringed in the figure.",
            class_="quiet",
        )
    )
    made.append(_table(found) if found.labels else element("p", "No run has a dip."))
    for configuration, run_id, told in findings(facts):
        made += [element("h3", f"{configuration.label}, run {run_id[:8]}"), listed(told)]
    return made


def _samples(facts: Facts) -> list[Child]:
    found = samples(facts)
    if found is None:
        return []
    head = element("tr", *(element("th", column, scope="col") for column in found.columns))
    rows = [
        element(
            "tr",
            *(
                element("td", element("img", src=uri, alt=f"{name}: {column}"))
                for column, uri in zip(found.columns, row, strict=True)
            ),
        )
        for name, row in found.rows.items()
    ]
    legend = [
        element("span", element("i", style=f"background:rgb{tuple(c.colour)}"), f" {c.name}")
        for c in found.classes[1:]
    ]
    grid = element("table", element("thead", head), element("tbody", *rows))
    return [
        element("h2", "Sample predictions"),
        element("figure", element("div", grid, class_="samples wide"), _caption(legend)),
    ]


def _caption(legend: list[Element]) -> Element:
    return element("figcaption", *legend, element("span", "chequered: counts for nothing"))


def _verdicts(facts: Facts) -> list[Child]:
    if not facts.pairs:
        return []
    return [element("h2", "Verdicts"), _table(of_verdicts(facts))]


def _trials(facts: Facts) -> list[Child]:
    evaluator, shares = facts.importance
    none = no_importance(evaluator, facts.summary.complete)
    return [
        element("h2", "All trials"),
        _table(of_trials(facts)),
        element("h2", "Which field mattered"),
        element("p", none) if shares is None else _table(of_importance(facts)),
    ]


def _how_made(facts: Facts) -> list[Child]:
    pairs = [(element("dt", name), element("dd", value)) for name, value in how_made(facts)]
    spec = yaml.safe_dump(facts.spec.to_mapping(), sort_keys=False, allow_unicode=True)
    return [
        element("h2", "How it was made"),
        element("dl", *(each for pair in pairs for each in pair)),
        element("details", element("summary", "The spec"), element("pre", spec)),
    ]

"""Which runs are stable: ranked, epoch by epoch, and against the hyperparameters."""

import pandas as pd
import streamlit as st

from dashboard.curves.facts import configuration_labels
from dashboard.display import plain, short_name
from dashboard.stability import facts
from dashboard.stability.figures import draw_by_parameter, draw_crossed, draw_drawdown_map
from dashboard.store import reads, run_table
from dashboard.ui import downloads, run_picker, selection, states, tables
from dashboard.ui.charts import chart
from trainer.analysis.definitions import DEFINITIONS
from trainer.analysis.score_table import title
from trainer.wording import counted

NEWEST = 200
MAPPED = 60


def main() -> None:
    """Draw the page."""
    st.subheader("Stability", anchor=False)
    run_ids = selection.selected() or newest()
    metric = run_picker.one_headline(run_ids)
    curves = reads.curves(run_ids, metric) if metric else {}
    by, warmup = controls(len(run_ids))
    rows = facts.ranked(facts.statistics(curves, warmup=warmup), by)
    if rows.empty:
        what = metric or "a metric that it is judged by"
        states.nothing(f"None of these runs has logged {what}.", states.FIRST_RUN)
        return
    without = len(run_ids) - len(rows)
    left_out = f"; {without} of {counted(len(run_ids), 'run')} without a value" if without else ""
    st.caption(plain(f"Of {title(metric)}{left_out}."))
    runs = reads.runs().loc[rows.index]
    labels = configuration_labels(runs, run_table.differing_parameters(runs, at_most=3))
    ranking, epochs, parameters = st.tabs(
        ["Ranking", "Epochs", "Hyperparameters"], key="stability_tab", bind="query-params"
    )
    if ranking.open:
        with ranking:
            show_ranking(rows, labels)
    if epochs.open:
        with epochs:
            shown = [str(r) for r in rows.index[:MAPPED]]
            drawdown = facts.drawdown_map(curves, shown)
            dips = facts.dip_places(curves, shown)
            figure = draw_drawdown_map(drawdown, labels, dips)
            chart(figure, key="drawdown_map", alt="Distance below the best so far, run by epoch")
            st.caption(
                f"{len(shown)} of {counted(len(rows), 'run')}, the least stable first; dips ringed."
            )
    if parameters.open:
        with parameters:
            show_parameters(rows, runs, by)


def newest() -> list[str]:
    """Return the newest runs that are not archived, and say so."""
    runs = reads.runs()
    found = list(runs.index[~runs["archived"].to_numpy(dtype=bool)][:NEWEST])
    st.caption(f"No run is selected: {counted(len(found), 'newest one is', 'newest are')} ranked.")
    return found


def controls(count: int) -> tuple[str, int]:
    """Let the reader choose the statistic to rank by and a warm-up to leave out."""
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    by = left.selectbox(
        f"Rank {counted(count, 'run')} by",
        facts.RANKED_BY,
        key="rank",
        bind="query-params",
        format_func=lambda name: DEFINITIONS[f"stability/{name}"].name,
    )
    warmup = right.number_input(
        "Warm-up epochs left out",
        0,
        10_000,
        0,
        key="warmup",
        bind="query-params",
        help="Nothing is left out by default.",
    )
    definition = DEFINITIONS[f"stability/{by}"]
    st.caption(plain(f"{definition.formula}. Source: {definition.source}."))
    return str(by), int(warmup)


def show_ranking(rows: pd.DataFrame, labels: dict[str, str]) -> None:
    """Show every statistic of every run."""
    table = rows.rename(index=labels).rename_axis("run")
    config = {
        name: st.column_config.NumberColumn(
            short_name(DEFINITIONS[f"stability/{name}"].name),
            help=plain("{0.name}: {0.formula}".format(DEFINITIONS[f"stability/{name}"])),
            format="%.4f" if DEFINITIONS[f"stability/{name}"].unit == "score" else "%d",
        )
        for name in rows.columns
        if f"stability/{name}" in DEFINITIONS
    }
    config["n"] = st.column_config.NumberColumn("Epochs", format="%d")
    config["max_drawdown_epoch"] = st.column_config.NumberColumn("MDD at epoch", format="%d")
    alt = "Stability statistics of each run"
    tables.show(table, "ranking", alt, row_height=tables.ROW_HEIGHT, most=560, column_config=config)
    whole = [
        n
        for n in config
        if (known := DEFINITIONS.get(f"stability/{n}")) is None or known.unit != "score"
    ]
    downloads.save_table(table, "stability", ("CSV", "Markdown", "LaTeX"), whole=whole)


def show_parameters(rows: pd.DataFrame, runs: pd.DataFrame, by: str) -> None:
    """Show the statistic against one hyperparameter, and over two of them."""
    names = run_table.differing_parameters(runs, at_most=30)
    if not names:
        states.nothing("These runs share all hyperparameters; choose runs that differ.")
        return
    left, right = st.columns(2)
    with left:
        name = st.selectbox("Against", names, key="against", bind="query-params")
        points = facts.by_parameter(rows, runs, str(name), by)
        figure = draw_by_parameter(points, name=str(name), statistic=by)
        chart(figure, key="by_parameter", alt=f"{by} against {name}")
    with right:
        first, second = _pair(names)
        if first == second:
            states.nothing("Choose two different hyperparameters.")
            return
        means, counts = facts.crossed(rows, runs, (first, second), by)
        figure = draw_crossed(means, counts, names=(first, second), statistic=by)
        chart(figure, key="crossed", alt=f"Mean {by} over {first} and {second}")


def _pair(names: list[str]) -> tuple[str, str]:
    if len(names) == 1:
        return names[0], names[0]
    one, other = st.columns(2)
    first = one.selectbox("Rows", names, key="cross_rows", bind="query-params")
    second = other.selectbox("Columns", names, index=1, key="cross_columns", bind="query-params")
    return str(first), str(second)


main()

"""Two or more runs side by side: what differs, which is better, on which images."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard.compare import facts, images
from dashboard.compare import reads as compare_reads
from dashboard.compare.figures import draw_intervals
from dashboard.curves.facts import configuration_labels, curve_infos, drawn_badge
from dashboard.curves.figures import draw_curves
from dashboard.store import reads, run_table
from dashboard.ui import downloads, navigation, run_picker, selection, states, tables
from dashboard.ui.charts import chart
from trainer.analysis.score_table import comparable
from trainer.analysis.verdict import Comparison
from trainer.classification.config import KIND
from trainer.classification.config import SCORES as CLASSIFIER_SCORES
from trainer.evaluation.results import Verdict, configurations

SIDES = 6  # Configurations compared pair by pair at most: 15 verdicts.


def main() -> None:
    """Draw the page."""
    st.subheader("Compare", anchor=False)
    run_ids = selection.selected()
    if len(run_ids) < 2:
        states.nothing("Choose two or more runs on the page Runs, then come back.")
        navigation.page_link("runs", "Runs")
        return
    runs = reads.runs().loc[run_ids]
    labels = configuration_labels(runs, run_table.differing_parameters(runs, at_most=4))
    show_scores(run_ids, labels)
    st.subheader("Verdict", anchor=False)
    judged = show_verdict(runs, labels)
    st.subheader("What differs", anchor=False)
    show_difference(runs, labels)
    metric = run_picker.one_headline(run_ids)
    if metric:
        infos = curve_infos(reads.curves(run_ids, metric), labels)
        figure = draw_curves(infos, metric=metric, height=380)
        chart(figure, key="compared_curves", alt=f"{metric} of the compared runs by epoch")
        st.caption(drawn_badge(infos))
    if judged is not None:
        sides, verdict = judged
        images.show_most_different(verdict, sides)


def show_scores(run_ids: Sequence[str], labels: dict[str, str]) -> None:
    """Show the main numbers of each run."""
    columns = [
        "headline",
        "best",
        "last",
        "ema",
        "best_dice",
        "best_miou",
        "max_drawdown",
        "dips",
        "minutes",
    ]
    overview = reads.with_curves(reads.runs().loc[list(run_ids)])
    table = overview[["state", *columns]].rename(index=labels).rename_axis("run")
    st.dataframe(
        table,
        column_config=tables.column_config(table),
        key="compared",
        placeholder="",
        row_height=tables.ROW_HEIGHT,
        alt="Scores of the compared runs",
    )
    downloads.save_table(table, "compared", ("CSV", "Markdown", "LaTeX"), whole=("dips",))


def show_difference(runs: pd.DataFrame, labels: dict[str, str]) -> None:
    """Show the parameters in which the runs differ."""
    table = facts.differing(runs).rename(columns=labels)
    if table.empty:
        st.caption("These runs share every parameter.")
        return
    st.dataframe(table, key="differing", row_height=28, alt="Parameters that differ")


def show_verdict(
    runs: pd.DataFrame, labels: dict[str, str]
) -> tuple[dict[str, list[str]], Verdict] | None:
    """Show which side is better, or that images and seeds cannot tell them apart.

    Returns the runs of each side by its label, and the verdict; None where there is none.
    """
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    known = CLASSIFIER_SCORES if (runs["kind"] == KIND).any() else comparable()
    score = left.selectbox("Score that decides", known, key="score", bind="query-params")
    pool = right.toggle(
        "Runs that differ in their seed alone are one side",
        value=True,
        key="pool",
        bind="query-params",
    )
    sides = configurations(runs) if pool else {str(r): [str(r)] for r in runs.index}
    if len(sides) < 2:
        st.caption("All chosen runs are seeds of one configuration; there is nothing to compare.")
        return None
    if len(sides) > SIDES:
        st.caption(f"The first {SIDES} of {len(sides)} configurations are compared.")
        sides = dict(list(sides.items())[:SIDES])
    named = {labels[first]: run_ids for first, run_ids in sides.items()}
    try:
        verdict = compare_reads.verdict(named, str(score))
    except ValueError as error:
        st.text(f"Not comparable: {error}.")
        return None
    show_pairs(verdict.pairs)
    with st.expander("The epoch that each run stands for"):
        for run_id, best in verdict.best.items():
            st.text(f"{labels[run_id]}: {best}")
    return named, verdict


def show_pairs(found: list[Comparison]) -> None:
    """Show every pair's verdict, and the first pair's intervals."""
    for pair in found:
        with st.container(border=True, gap="xsmall"):
            st.text(f"A = {pair.a}    B = {pair.b}")
            st.text(pair.line)
            for note in pair.notes:
                st.text(f"Note: {note}.")
            if pair.is_open:
                st.text(f"Plan: {pair.plans()[-1]}.")
    st.caption(
        f"Paired bootstrap over {found[0].sample}"
        + (" and over seeds" if found[0].over_seeds else "")
        + f", {found[0].resamples:,} resamples; each run at its best epoch."
    )
    if len(found) == 1:
        chart(draw_intervals(found[0]), key="intervals", alt="Differences with their intervals")


main()

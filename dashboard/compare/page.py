"""Two or more runs side by side: what differs, which is better, on which images."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
import streamlit as st

from dashboard.compare import facts, images
from dashboard.compare.figures import draw_intervals
from dashboard.compare.reads import compared
from dashboard.curves.facts import best_epoch, configuration_labels, curve_infos, drawn_badge
from dashboard.curves.figures import draw_curves
from dashboard.store import reads, run_table
from dashboard.ui import downloads, navigation, selection, states, tables
from dashboard.ui.charts import chart
from trainer.analysis.comparison import SCORES, Comparison

SIDES = 6  # Configurations compared pair by pair at most: 15 verdicts.


class Judged(NamedTuple):
    """The comparisons of a page, the runs of each side, and the epoch that each run stands for."""

    pairs: list[Comparison]
    sides: dict[str, list[str]]
    epochs: dict[str, int]


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
    infos = curve_infos(reads.curves(run_ids, run_table.MAIN_METRIC), labels)
    figure = draw_curves(infos, metric=run_table.MAIN_METRIC, height=380)
    chart(figure, key="compared_curves", alt="Validation Dice of the compared runs by epoch")
    st.caption(drawn_badge(infos))
    if judged is not None:
        images.show_most_different(judged.pairs[0], judged.sides, judged.epochs, labels)


def show_scores(run_ids: Sequence[str], labels: dict[str, str]) -> None:
    """Show the main numbers of each run."""
    columns = ["best_dice", "last_dice", "ema_dice", "best_miou", "max_drawdown", "dips", "minutes"]
    overview = reads.with_curves(reads.runs().loc[list(run_ids)])
    table = overview[["state", *columns]].rename(index=labels).rename_axis("run")
    st.dataframe(
        table, column_config=tables.column_config(table), key="compared", placeholder="",
        row_height=tables.ROW_HEIGHT, alt="Scores of the compared runs",
    )  # fmt: skip
    downloads.save_table(table, "compared", ("CSV", "Markdown", "LaTeX"))


def show_difference(runs: pd.DataFrame, labels: dict[str, str]) -> None:
    """Show the parameters in which the runs differ."""
    table = facts.differing(runs).rename(columns=labels)
    if table.empty:
        st.caption("These runs share every parameter.")
        return
    st.dataframe(table, key="differing", row_height=28, alt="Parameters that differ")


def show_verdict(runs: pd.DataFrame, labels: dict[str, str]) -> Judged | None:
    """Show which side is better, or that images and seeds cannot tell them apart."""
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    score = left.selectbox("Score that decides", SCORES, key="score", bind="query-params")
    pool = right.toggle(
        "Runs that differ in their seed alone are one side", value=True, key="pool",
        bind="query-params",
    )  # fmt: skip
    sides = facts.configurations(runs, pool_seeds=pool)
    if len(sides) < 2:
        st.caption("All chosen runs are seeds of one configuration; there is nothing to compare.")
        return None
    if len(sides) > SIDES:
        st.caption(f"The first {SIDES} of {len(sides)} configurations are compared.")
        sides = dict(list(sides.items())[:SIDES])
    best = {r: _best(r) for of_side in sides.values() for r in of_side}
    epochs = {r: epoch for r, epoch in best.items() if epoch is not None}
    without = [labels[r] for r in best if r not in epochs]
    if without:
        states.nothing(f"No per-image scores: {', '.join(without)}. A verdict needs them.")
        return None
    try:
        found = compared(_frozen(sides), tuple(epochs.items()), str(score))
    except ValueError as error:
        states.nothing(str(error))
        return None
    show_pairs(found, {side: labels[side] for side in sides})
    return Judged(found, sides, epochs)


def show_pairs(found: list[Comparison], names: dict[str, str]) -> None:
    """Show every pair's verdict, and the first pair's intervals."""
    for pair in found:
        with st.container(border=True, gap="xsmall"):
            sides = f"A = {names[pair.a]}    B = {names[pair.b]}"
            st.text(sides)
            st.text(pair.line)
            for note in pair.notes:
                st.text(f"Note: {note}.")
    st.caption(
        f"Paired bootstrap over {found[0].images} images"
        + (" and over seeds" if found[0].over_seeds else "")
        + f", {found[0].resamples:,} resamples; each run at its best epoch."
    )
    if len(found) == 1:
        chart(draw_intervals(found[0]), key="intervals", alt="Differences with their intervals")


def _best(run_id: str) -> int | None:
    curve = reads.curves([run_id], run_table.MAIN_METRIC)[run_id]
    epoch = best_epoch(curve.steps, curve.values)
    return None if epoch is None or reads.per_image(run_id, [epoch]).empty else epoch


def _frozen(sides: dict[str, list[str]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((side, tuple(run_ids)) for side, run_ids in sides.items())


main()

"""Curves of the chosen runs: every epoch, dips marked, and the table of the reports."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard.curves.facts import (
    Axis,
    axes,
    configuration_labels,
    curve_infos,
    drawn_badge,
    epoch_table,
    seed_bands,
    seed_table,
)
from dashboard.curves.figures import draw_bands, draw_curves, draw_pair
from dashboard.display import plain, short_name
from dashboard.store import reads, run_table
from dashboard.ui import downloads, live, navigation, run_picker, states, tables
from dashboard.ui.charts import chart
from dashboard.ui.choice import one_of
from trainer.analysis.definitions import DEFINITIONS
from trainer.analysis.score_table import higher_is_better, is_share, twin
from trainer.wording import counted

CHART = "curves"


def main() -> None:
    """Draw the page."""
    st.subheader("Curves", anchor=False)
    live.follow_store()
    run_ids = run_picker.chosen_or_best()
    if not run_ids:
        states.nothing("No run here has logged a metric yet.", states.FIRST_RUN)
        return
    runs = reads.runs().loc[run_ids]
    labels = configuration_labels(runs, run_table.differing_parameters(runs, at_most=4))
    metric, smoothing, axis, dips = controls(run_ids)
    overlaid, against, seeds, table = st.tabs(
        ["Curves", "Train against validation", "Seeds", "Table"], key="tab", bind="query-params"
    )
    if overlaid.open:
        with overlaid:
            show_curves(run_ids, labels, metric, smoothing, axis, dips)
    if against.open:
        with against:
            show_pair(run_ids, labels, metric)
    if seeds.open:
        with seeds:
            show_seeds(runs, metric, axis)
    if table.open:
        with table:
            show_table(run_ids, labels, metric)


def controls(run_ids: Sequence[str]) -> tuple[str, float, Axis, bool]:
    """Let the reader choose the metric, smoothing, axis and marks."""
    metrics = run_picker.epoch_metrics(run_ids)
    headlines = reads.runs(run_ids)["headline"].reindex(list(run_ids))
    usual = [name for name in headlines.value_counts().index if name in metrics]
    first = metrics.index(usual[0]) if usual else 0
    left, middle, right, marks = st.columns([3, 3, 3, 2], vertical_alignment="bottom")
    metric = str(left.selectbox("Metric", metrics, index=first, key="metric", bind="query-params"))
    smoothing = middle.slider(
        "Smoothing",
        0.0,
        0.99,
        0.0,
        0.01,
        key="smoothing",
        bind="query-params",
        help="Exponential moving average, weight of the past; the raw curve stays, faint.",
    )
    axis = one_of(
        "y axis", axes(metric), key="axis", where=right, help="top: where the curves end up."
    )
    dips = marks.toggle("Mark dips", value=True, key="dips", bind="query-params")
    return metric, float(smoothing), axis, bool(dips)


def show_curves(
    run_ids: Sequence[str],
    labels: dict[str, str],
    metric: str,
    smoothing: float,
    axis: Axis,
    dips: bool,
) -> None:
    """Draw the metric of every run."""
    infos = curve_infos(
        reads.curves(run_ids, metric),
        labels,
        smoothing=smoothing,
        mark_dips=dips,
        higher_is_better=higher_is_better(metric),
    )
    figure = draw_curves(infos, metric=metric, axis=axis)
    count = sum(len(info.dips) for info in infos)
    said = f"{metric} over epochs of {counted(len(infos), 'run')}, {counted(count, 'dip')}"
    chart(figure, key=CHART, alt=said, on_select=take_click)
    marked = f"; {counted(count, 'dip')} ringed" if dips else ""
    st.caption(f"{drawn_badge(infos, axis)}{marked}. Click an epoch to see what happened in it.")


def take_click() -> None:
    """Open the clicked epoch of a run on the page Dip."""
    points = st.session_state[CHART]["selection"]["points"]
    clicked = points[0].get("customdata") if points else None
    if clicked:
        navigation.open_page("dip", run=str(clicked[0]), epoch=str(clicked[1]))


def show_pair(run_ids: Sequence[str], labels: dict[str, str], metric: str) -> None:
    """Draw training against validation of the chosen metric's name."""
    name = metric.removeprefix("train/").removeprefix("val/")
    train, val = (
        curve_infos(reads.curves(run_ids, of), labels, mark_dips=False)
        for of in (twin(f"val/{name}"), f"val/{name}")
    )
    chart(draw_pair(train, val, name=name), key="pair", alt=f"{name}: training and validation")


def show_seeds(runs: pd.DataFrame, metric: str, axis: Axis) -> None:
    """Draw mean and range over the seeds of each configuration."""
    names = run_table.differing_parameters(runs, at_most=4)
    groups = dict(runs["seed_group"].dropna())
    by_group = runs.assign(group=[groups.get(r, r) for r in runs.index]).drop_duplicates("group")
    described = configuration_labels(by_group, names)
    labels = {str(by_group.loc[r, "group"]): text for r, text in described.items()}
    curves = reads.curves(list(runs.index), metric)
    bands = seed_bands(curves, groups, labels, higher_is_better=higher_is_better(metric))
    figure = draw_bands(bands, metric=metric, top=axis == "top")
    chart(figure, key="seeds", alt=f"{metric}: mean and range over seeds by epoch")
    st.caption(
        "A band runs from the lowest to the highest seed. Runs of one configuration that differ "
        "in their seed alone form a group."
    )
    show_spread(seed_table(bands))


def show_spread(table: pd.DataFrame) -> None:
    """Show how far the seeds of each configuration lie apart, and what the numbers are."""
    if table.empty:
        return
    shown = {name: DEFINITIONS[f"seeds/{name}"] for name in ("dispersion", "risk")}
    number = st.column_config.NumberColumn
    config = {"mean": number(format="%.4f"), "risk_is": st.column_config.TextColumn("RR is")} | {
        name: number(short_name(d.name), help=plain(f"{d.name}: {d.formula}"), format="%.4f")
        for name, d in shown.items()
    }
    alt = "Spread over the seeds of each configuration"
    tables.show(table, "seed_table", alt, row_height=30, column_config=config)
    said = ". ".join(f"{d.name}: {d.formula}" for d in shown.values())
    st.caption(plain(f"At the last epoch that most seeds reached. {said}."))


def show_table(run_ids: Sequence[str], labels: dict[str, str], metric: str) -> None:
    """Show epoch by configuration, as the reports do."""
    table = epoch_table(reads.curves(run_ids, metric), labels)
    # A learning rate or a small loss would read 0.0000.
    digits = "%.4f" if is_share(metric) else "%.4g"
    config = {c: st.column_config.NumberColumn(format=digits) for c in table.columns}
    alt = f"{metric} by epoch and configuration"
    tables.show(table, "epoch_table", alt, row_height=30, most=560, column_config=config)
    downloads.save_table(table, "epochs", ("CSV", "Markdown", "LaTeX"))


main()

"""The head of a run's page: its name, how it stands, and its main numbers."""

from typing import Any

import streamlit as st

from dashboard.display import (
    label,
    local_time,
    number,
    plain,
    score,
    shortened,
)
from dashboard.runs import curation
from dashboard.store import reads, run_table
from dashboard.ui import navigation
from trainer.analysis.headline import no_headline, short
from trainer.classification.config import KIND
from trainer.evaluation.results import BestEpoch
from trainer.tracking.reading import NO_TRAINING, SWEEP
from trainer.wording import duration


def show_header(run_id: str) -> None:
    """Draw the head; it reruns alone while the run trains."""
    row = reads.run(run_id)
    if row is None:
        return
    overview = reads.with_curves(reads.runs().loc[[run_id]]).iloc[0]
    st.subheader(plain(shortened(row["name"] or "unnamed", 90)), anchor=False)
    st.text(" · ".join(facts(row, 60 * overview["minutes"])))
    if isinstance(row["reason"], str) and row["reason"]:
        st.code(row["reason"], language=None, wrap_lines=True)
    if row["kind"] not in NO_TRAINING:
        _numbers(overview, reads.best_epoch(run_id), of_masks=row["kind"] != KIND)
    if not row["headline"] and row["logged_metrics"] and row["kind"] not in NO_TRAINING:
        st.text(f"No headline: {no_headline(row['logged_metrics'])}.")
    if isinstance(row["note"], str) and row["note"]:
        st.text(row["note"])
    _links(run_id, row)


def facts(row: Any, seconds: float) -> list[str]:
    """Return what a line says about a run: state, experiment, data, times, user."""
    planned = row.get("params.epochs")
    epochs = f"epoch {row['last_step']}" + (f" of {planned}" if isinstance(planned, str) else "")
    epochs = epochs if row["last_step"] else "no epoch logged yet"
    said = [
        row["state"] + (", archived" if row["archived"] else ""),
        f"experiment {row['experiment']}",
        "classifier" if row["kind"] == KIND else "",
        f"data {row['data']}" if isinstance(row["data"], str) else "",
        "" if row["kind"] in NO_TRAINING else epochs,
        duration(seconds),
        f"started {local_time(row['started'], st.context.timezone)}",
        f"by {row['user']}" if row["user"] not in (None, "", "unknown") else "",
    ]
    return [part for part in said if part]


def _numbers(overview: Any, best: BestEpoch | None, *, of_masks: bool) -> None:
    headline = plain(short(overview["headline"] or "score"))
    where = "" if best is None else f" · epoch {best.epoch}"
    last = "" if best is None else f" · epoch {number(overview['epochs'])}"
    other = "best_dice" if overview["headline"] == "val/miou" else "best_miou"
    shown = [
        ("best", f"Best {headline}{where}", score),
        ("last", f"Last {headline}{last}", score),
        ("ema", f"EMA-best {headline}", score),
        *([(other, run_table.COLUMNS[other].label, score)] if of_masks else []),
        ("max_drawdown", "MDD", score),
        ("dips", "Dips", number),
    ]
    for column, (name, said, form) in zip(st.columns(len(shown)), shown, strict=True):
        told = f" This run stands at {best}." if name == "best" and best is not None else ""
        column.metric(said, form(overview[name]), help=plain(run_table.COLUMNS[name].help + told))


def _links(run_id: str, row: Any) -> None:
    with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
        if row["kind"] not in NO_TRAINING:
            navigation.page_link("curves", "Its curves", runs=run_id)
            navigation.page_link("samples", "Its samples", run=run_id)
            navigation.page_link("dip", "Its dips", run=run_id)
        parent = reads.run(row["parent"]) if isinstance(row["parent"], str) else None
        if parent is not None and parent["kind"] != SWEEP:
            text = f"Part of {plain(label(parent['name'], row['parent']))}"
            navigation.page_link("run", text, run=row["parent"])
        if isinstance(row["sweep"], str):
            text = "Its trials and what they found" if row["kind"] == SWEEP else "Part of the sweep"
            navigation.page_link("sweeps", f"{text} {plain(row['sweep'])}", sweep=row["sweep"])
        if not reads.settings().read_only:
            with st.popover("Note"):
                curation.note_form(run_id)

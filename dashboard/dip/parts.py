"""The parts of the page that takes one epoch of a run apart."""

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.dip import facts
from dashboard.dip.facts import Moment
from dashboard.dip.figures import IMAGES, draw_changes
from dashboard.display import number, plain, score
from dashboard.pictures import stored as stored_pictures
from dashboard.pictures import strips
from dashboard.pictures.overlays import encoded
from dashboard.pictures.stored import Picture
from dashboard.pictures.viewer import Panel, overlay_viewer
from dashboard.store import reads
from dashboard.ui import downloads, states, tables
from dashboard.ui.charts import chart
from trainer.analysis.fallen import describe
from trainer.analysis.headline import short
from trainer.analysis.history import clean
from trainer.wording import MISSING, counted

MOST_PICTURES = 16


def show_numbers(run_id: str, shown: Moment) -> None:
    """Show the headline around the epoch, and the learning rate and gradient norm at it."""
    change = f"{shown.level - shown.level_before:+.4f}"
    after = MISSING if shown.after is None else score(shown.level_after)
    name = plain(short(reads.run(run_id)["headline"]))
    columns = st.columns(5)
    columns[0].metric(f"{name} before · epoch {shown.before}", score(shown.level_before))
    columns[1].metric(f"{name} at · epoch {shown.epoch}", score(shown.level), change)
    when = MISSING if shown.after is None else f"epoch {shown.after}"
    columns[2].metric(f"{name} after · {when}", after)
    columns[3].metric("Learning rate", number(_at(run_id, "lr", shown.epoch)))
    norm, usual = _at(run_id, "train/grad_norm", shown.epoch), _usual_norm(run_id)
    times = f"{norm / usual:.1f} × its median" if usual > 0 and np.isfinite(norm) else None
    columns[4].metric(
        "Gradient norm",
        number(norm),
        times,
        delta_color="off",
        delta_arrow="off",
        help="Before clipping, mean over the epoch's steps; the median is over all epochs.",
    )


def show_explanation(run_id: str, rows: pd.DataFrame, shown: Moment) -> None:
    """Show in sentences what fell, and what the diagnosis says of this epoch."""
    falls = facts.what_fell(rows, shown)
    said = describe(falls)
    if said:
        st.text(f"{said[0].upper()}{said[1:]}.")
    findings = reads.json_value(run_id, "diagnoses.json") or ()
    named = [finding for finding in findings if shown.epoch in (finding.get("epochs") or ())]
    for finding in named:
        st.text(f"Diagnosis “{finding['rule']}”: {finding['message']}")
    if not named:
        st.caption("No stored diagnosis of this run names this epoch.")


def show_images(rows: pd.DataFrame, shown: Moment, class_name: str | None) -> None:
    """Show the Dice of each image before, at and after, the largest fall first."""
    changes = facts.image_changes(rows, shown, class_name)
    st.subheader("Images", anchor=False)
    fell = int((changes["fall"] > 0).sum())
    of_class = "" if class_name is None else f" of the class {class_name}"
    st.text(f"{fell} of {counted(len(changes), 'image')} fell in Dice{of_class}.")
    chart(
        draw_changes(changes, shown),
        key="image_changes",
        alt=f"Dice of each image before, at and after epoch {shown.epoch}",
    )
    if len(changes) > IMAGES:
        st.caption(f"The {IMAGES} images that fell most; the table has all.")
    with st.expander("Table of all images"):
        config = {c: st.column_config.NumberColumn(format="%.4f") for c in changes.columns}
        alt = "Dice of each image before, at and after"
        tables.show(changes, "changes_table", alt, column_config=config)
        downloads.save_table(changes, "image_changes", ("CSV", "Markdown", "LaTeX"))


def show_classes(rows: pd.DataFrame, shown: Moment) -> None:
    """Show each class's Dice over the whole split, and in how many images it fell or was lost."""
    st.subheader("Classes", anchor=False)
    table = facts.class_changes(rows, shown)
    kinds = st.column_config
    config: dict[str, Any] = {
        name: kinds.NumberColumn(name, format="%.4f", help="Dice over the whole split")
        for name in ("before", "at", "after")
    }
    config["change"] = kinds.NumberColumn("change", format="%+.4f")
    config["fell"] = kinds.NumberColumn("fell", format="%d", help="Images with a lower Dice")
    config["lost"] = kinds.NumberColumn(
        "lost",
        format="%d",
        help="Images where it was found before (Dice 0.5 or more) and is gone now (below 0.05)",
    )
    alt = "Dice of each class before, at and after"
    tables.show(table, "class_changes", alt, column_config=config)


def show_masks(run_id: str, shown: Moment, class_name: str | None) -> None:
    """Show the stored masks before, at and after the epoch, one row an image."""
    st.subheader("Masks before, at and after", anchor=False)
    panels, classes, missing = _mask_panels(stored_pictures.state(run_id), shown, class_name)
    if not panels:
        states.nothing("This run has stored no masks of these epochs.", "trainer fit --samples 6")
        return
    named = ", ".join(
        f"{name} (epoch {epoch})" for name, epoch in zip(shown.names, shown.epochs, strict=True)
    )
    note = f"From left to right {named}; the image that fell most first."
    if missing:
        note += " Where no mask is stored the image is bare: only fixed samples have all epochs."
    key = f"masks_{run_id}_{shown.before}_{shown.epoch}_{shown.after}_{class_name}"
    overlay_viewer(panels, classes, key=key, width=780, note=note)


@st.cache_resource(show_spinner=False, max_entries=24)
def _mask_panels(
    of: stored_pictures.State, shown: Moment, class_name: str | None
) -> tuple[list[Panel], list[Any], bool]:
    stored, classes = stored_pictures.pictures(
        of.run_id, shown.epochs, worst_of=[shown.epoch, shown.before]
    )
    rows = reads.per_image(of.run_id, shown.epochs)
    changes = facts.image_changes(rows, shown, class_name) if len(rows) else pd.DataFrame()
    kept = {name: p for name, p in stored.items() if shown.epoch in p.predicted}
    order = [str(name) for name in changes.index if name in kept]
    order = [*order, *(name for name in kept if name not in order)][:MOST_PICTURES]
    panels = [_mask_panel(name, kept[name], changes, shown) for name in order]
    missing = any(e not in kept[name].predicted for name in order for e in shown.epochs)
    return panels, classes, missing


def _mask_panel(name: str, picture: Picture, changes: pd.DataFrame, shown: Moment) -> Panel:
    predicted = [picture.predicted.get(epoch) for epoch in shown.epochs]
    targets, masks = strips.beside_where_stored([picture.target] * len(predicted), predicted)
    known = changes.reindex(index=[name], columns=shown.names).to_numpy(dtype=float)[0]
    said = "Dice " + " → ".join(score(value) for value in known)
    return Panel(
        title=name,
        image=encoded(strips.images_beside([picture.image] * len(predicted))),
        target=encoded(targets),
        frames=[encoded(masks)],
        captions=[said if np.isfinite(known).any() else ""],
    )


def _at(run_id: str, metric: str, epoch: int) -> float:
    curve = reads.curves([run_id], metric)[run_id]
    there = curve.values[curve.steps == epoch]
    return float(there[0]) if there.size else float("nan")


def _usual_norm(run_id: str) -> float:
    curve = reads.curves([run_id], "train/grad_norm")[run_id]
    values = clean(curve.steps, curve.values).values
    return float(np.median(values)) if values.size else float("nan")

"""What a run scores class by class."""

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.run.figures import draw_class_curves, draw_confusion
from dashboard.store import reads
from dashboard.ui import states, tables
from dashboard.ui.charts import chart
from trainer.analysis.scores import counts, dice, iou

PREFIX = "val/iou/"


def show_classes(run_id: str) -> None:
    """Show IoU by class and epoch, and the confusion matrix with each class's scores."""
    logged = reads.run(run_id)["logged_metrics"]
    metrics = [name for name in _in_order(run_id, logged) if name in logged]
    curves = {m.removeprefix(PREFIX): reads.curves([run_id], m)[run_id] for m in metrics}
    confusion = reads.json_value(run_id, "evaluation/confusion.json")
    left, right = st.columns([2, 3])
    with left:
        chart(draw_class_curves(curves), key="class_iou", alt="IoU of each class over epochs")
    if not isinstance(confusion, dict):
        with right:
            states.nothing("This run has stored no confusion matrix.")
        return
    matrix = np.array(confusion["matrix"], dtype=np.int64)
    with left:
        show_scores(matrix, confusion["classes"])
    with right:
        figure = draw_confusion(matrix, confusion["classes"])
        chart(figure, key="confusion", alt="Confusion matrix, rows are targets")
        st.caption(f"Split {confusion['split']}, epoch {confusion['epoch']}; shares of each row.")


def show_scores(matrix: np.ndarray, classes: list[str]) -> None:
    """Show the table of `class_scores`."""
    formats = {name: st.column_config.NumberColumn(format="%.4f") for name in ("Dice", "IoU")}
    formats["pixels"] = st.column_config.NumberColumn(format="localized")
    formats["share"] = st.column_config.NumberColumn(format="percent")
    table = class_scores(matrix, classes)
    tables.show(table, "class_scores", "Dice and IoU of each class", column_config=formats)


def class_scores(matrix: np.ndarray, classes: list[str]) -> pd.DataFrame:
    """Return Dice, IoU, target pixels and their share for each class of a confusion matrix."""
    tp, fp, fn = counts(matrix)
    pixels = matrix.sum(axis=1)
    return pd.DataFrame(
        {
            "Dice": dice(tp, fp, fn),
            "IoU": iou(tp, fp, fn),
            "pixels": pixels,
            "share": pixels / max(int(pixels.sum()), 1),
        },
        index=pd.Index(classes, name="class"),
    )


def _in_order(run_id: str, logged: frozenset[str]) -> list[str]:
    confusion = reads.json_value(run_id, "evaluation/confusion.json")
    names = sorted(name for name in logged if name.startswith(PREFIX))
    if not isinstance(confusion, dict):
        return names
    known = [PREFIX + str(name) for name in confusion["classes"]]
    return [*known, *(name for name in names if name not in known)]

"""What a run scores class by class."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.run.figures import draw_class_curves, draw_confusion
from dashboard.store import reads
from dashboard.ui import states, tables
from dashboard.ui.charts import chart
from trainer.analysis.scores import counts, dice, iou
from trainer.tracking.class_names import CLASSES_TAG, class_keys, tagged_classes

PREFIX = "val/iou/"


def show_classes(run_id: str) -> None:
    """Show IoU by class and epoch, and the confusion matrix with each class's scores."""
    run = reads.run(run_id)
    confusion = reads.json_value(run_id, "evaluation/confusion.json")
    stored = confusion["classes"] if isinstance(confusion, dict) else []
    names = tagged_classes(run.get(f"tags.{CLASSES_TAG}")) or [str(name) for name in stored]
    metrics = class_metrics(names, run["logged_metrics"])
    curves = {name: reads.curves([run_id], m)[run_id] for name, m in metrics.items()}
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


def class_metrics(classes: Sequence[str], logged: Collection[str]) -> dict[str, str]:
    """Return the logged IoU metric of each class by its name, in the order of the classes.

    A metric of none of ``classes`` follows under what its own name says.
    """
    known = {name: PREFIX + key for name, key in class_keys(classes).items()}
    others = sorted({m for m in logged if m.startswith(PREFIX)} - set(known.values()))
    mine = {name: metric for name, metric in known.items() if metric in logged}
    return mine | {m.removeprefix(PREFIX): m for m in others}

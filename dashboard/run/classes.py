"""What a run scores class by class."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.run.figures import draw_class_curves, draw_confusion
from dashboard.store import reads
from dashboard.ui import states, tables
from dashboard.ui.charts import chart
from trainer.analysis.per_image_rows import pixel_counts
from trainer.analysis.scores import counts, dice, iou
from trainer.classification.config import KIND
from trainer.classification.judging import precision, recall, told_with_intervals
from trainer.tracking.class_names import CLASSES_TAG, class_keys, tagged_classes

PREFIX = "val/iou/"
FOUND = "val/recall/"


def show_classes(run_id: str) -> None:
    """Show IoU by class and epoch, and the confusion matrix with each class's scores.

    Of a classifier it is the share of a class's images that was found.
    """
    run = reads.run(run_id)
    whole = run["kind"] == KIND
    prefix, score, counted = (FOUND, "Recall", "images") if whole else (PREFIX, "IoU", "pixels")
    confusion = reads.json_value(run_id, "evaluation/confusion.json")
    stored = confusion["classes"] if isinstance(confusion, dict) else []
    names = tagged_classes(run.get(f"tags.{CLASSES_TAG}")) or [str(name) for name in stored]
    metrics = class_metrics(names, run["logged_metrics"], prefix)
    curves = {name: reads.curves([run_id], m)[run_id] for name, m in metrics.items()}
    left, right = st.columns([2, 3])
    with left:
        figure = draw_class_curves(curves, metric=score)
        chart(figure, key="class_iou", alt=f"{score} of each class over epochs")
    if not isinstance(confusion, dict):
        with right:
            states.nothing("This run has stored no confusion matrix.")
        return
    matrix = np.array(confusion["matrix"], dtype=np.int64)
    with left:
        show_scores(matrix, confusion["classes"], whole=whole)
    with right:
        figure = draw_confusion(matrix, confusion["classes"], counted=counted)
        chart(figure, key="confusion", alt="Confusion matrix, rows are targets")
        st.caption(f"Split {confusion['split']}, epoch {confusion['epoch']}; shares of each row.")
        rows = reads.per_image(run_id, [confusion["epoch"]]) if whole else pd.DataFrame()
        if len(rows):
            told = told_with_intervals(pixel_counts([rows])[0])
            st.text(f"With 95 % intervals: {told}.")


def show_scores(matrix: np.ndarray, classes: list[str], *, whole: bool) -> None:
    """Show the table of `class_scores`, or of `image_scores` of a classifier."""
    table = (image_scores if whole else class_scores)(matrix, classes)
    first, second, counted, share = table.columns
    formats = {name: st.column_config.NumberColumn(format="%.4f") for name in (first, second)}
    formats[counted] = st.column_config.NumberColumn(format="localized")
    formats[share] = st.column_config.NumberColumn(format="percent")
    alt = f"{first} and {second} of each class"
    tables.show(table, "class_scores", alt, column_config=formats)


def image_scores(matrix: np.ndarray, classes: list[str]) -> pd.DataFrame:
    """Return recall, precision, images and their share for each class of a classifier."""
    images = matrix.sum(axis=1)
    return pd.DataFrame(
        {
            "Recall": recall(matrix),
            "Precision": precision(matrix),
            "images": images,
            "share": images / max(int(images.sum()), 1),
        },
        index=pd.Index(classes, name="class"),
    )


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


def class_metrics(
    classes: Sequence[str], logged: Collection[str], prefix: str = PREFIX
) -> dict[str, str]:
    """Return the logged metric of each class by its name, in the order of the classes.

    They begin with ``prefix``. A metric of none of ``classes`` follows under what its name says.
    """
    known = {name: prefix + key for name, key in class_keys(classes).items()}
    others = sorted({m for m in logged if m.startswith(prefix)} - set(known.values()))
    mine = {name: metric for name, metric in known.items() if metric in logged}
    return mine | {m.removeprefix(prefix): m for m in others}

"""What each validation image scored, as tables: pure functions of the per-image rows of a run.

Rows are those of `trainer.evaluation.per_image.read_parts`: one an epoch, image and class.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dashboard.display import score as shown_score
from trainer.analysis.score_table import headline_classes

SCORES = {"Dice": "dice", "IoU": "iou"}


def class_names(rows: pd.DataFrame) -> list[str]:
    """Return the classes of the rows in their order."""
    column = rows["class"]
    if isinstance(column.dtype, pd.CategoricalDtype):
        return [str(name) for name in column.cat.categories]
    return [str(name) for name in dict.fromkeys(column)]


def image_scores(
    rows: pd.DataFrame, score: str = "dice", class_name: str | None = None
) -> pd.DataFrame:
    """Return one score per image (rows) and epoch (columns), in 0 to 1.

    ``score`` is dice or iou. Without ``class_name`` it is the mean over the headline classes that
    the image has (with two classes the foreground alone). NaN where an image has none of them.
    Raises ``ValueError`` for a class that the rows do not have.
    """
    if rows.empty:
        return pd.DataFrame()
    classes = class_names(rows)
    if class_name is not None and class_name not in classes:
        raise ValueError(f"class: {class_name!r} is none of {', '.join(classes)}")
    counted = classes[headline_classes(len(classes))] if class_name is None else [class_name]
    kept = rows.loc[rows["class"].isin(counted).to_numpy(), ["image", "epoch", score]]
    # Sums over codes: grouping a million rows by their names takes fifty times as long.
    images, image_at = _coded(rows["image"], kept["image"])
    epochs, epoch_at = np.unique(kept["epoch"].to_numpy(), return_inverse=True)
    values = kept[score].to_numpy(dtype=float)
    scored = np.isfinite(values)
    cells = (image_at * epochs.size + epoch_at)[scored]
    shape = (len(images), epochs.size)
    total = np.bincount(cells, weights=values[scored], minlength=shape[0] * shape[1])
    number = np.bincount(cells, minlength=shape[0] * shape[1])
    means = np.full(total.shape, np.nan)
    np.divide(total, number, out=means, where=number > 0)
    index = pd.Index(images, name="image")
    columns = pd.Index(epochs.tolist(), name="epoch")
    return pd.DataFrame(means.reshape(shape), index=index, columns=columns)


def worst_first(scores: pd.DataFrame, epoch: int) -> list[str]:
    """Return the images that have a score at an epoch, the lowest first."""
    if epoch not in scores.columns:
        return []
    return [str(name) for name in scores[epoch].dropna().sort_values(kind="stable").index]


def captions(
    scores: pd.DataFrame, name: str, epochs: Sequence[int], stored: Sequence[bool], label: str
) -> list[str]:
    """Return ``Dice 0.9876`` of one image at each epoch, and whether its mask is missing there.

    ``stored`` says for each of ``epochs`` whether the mask is stored.
    """
    values = np.full(len(epochs), np.nan)
    if name in scores.index:
        values = scores.loc[[name]].reindex(columns=list(epochs)).to_numpy(dtype=float)[0]
    said = []
    for value, has_mask in zip(values, stored, strict=True):
        parts = [f"{label} {shown_score(value)}"] if np.isfinite(value) else []
        said.append(" · ".join(parts + ([] if has_mask else ["no mask stored"])))
    return said


def score_table(
    rows: pd.DataFrame,
    scores: pd.DataFrame,
    epoch: int,
    *,
    score: str = "dice",
    pictures: Sequence[str] = (),
) -> pd.DataFrame:
    """Return one row an image, the worst at ``epoch`` first.

    Columns: ``score``, ``change`` since the epoch before, ``best`` over all epochs, ``course`` (the
    finite scores, a list), ``picture`` (whether one is stored), then one column a class.
    """
    if epoch not in scores.columns:
        return pd.DataFrame(columns=["score", "change", "best", "course", "picture"])
    place = [int(column) for column in scores.columns].index(epoch)
    table = pd.DataFrame(index=pd.Index(scores.index, name="image"))
    table["score"] = scores[epoch]
    table["change"] = scores[epoch] - scores.iloc[:, place - 1] if place else np.nan
    table["best"] = scores.max(axis=1)
    values = scores.to_numpy(dtype=float)
    courses = [row[np.isfinite(row)].tolist() for row in values]
    table["course"] = pd.Series(courses, index=scores.index, dtype=object)
    table["picture"] = [str(name) in set(pictures) for name in scores.index]
    of_epoch = rows.loc[rows["epoch"] == epoch, ["image", "class", score]]
    by_class = of_epoch.astype({"image": str, "class": str}).pivot(
        index="image", columns="class", values=score
    )
    classes = class_names(rows)
    if len(classes) > 2:
        table = table.join(by_class.reindex(columns=classes))
    return table.sort_values("score", na_position="last", kind="stable")


def image_dice(per_image: pd.DataFrame) -> pd.DataFrame:
    """Return one Dice per image (rows) and epoch (columns): the mean over the headline classes.

    ``per_image`` is what `trainer.evaluation.per_image.read_parts` returns, its classes in their
    order. With two classes the foreground alone counts; an image without any of them has NaN.
    """
    if per_image.empty:
        return pd.DataFrame()
    classes = list(dict.fromkeys(per_image["class"].astype(str)))
    counted = classes[headline_classes(len(classes))]
    rows = per_image[per_image["class"].astype(str).isin(counted)]
    return rows.pivot_table(
        index="image", columns="epoch", values="dice", aggfunc="mean", observed=True
    )


def dice_captions(dice: pd.DataFrame, name: str, epochs: Sequence[int]) -> list[str]:
    """Return ``Dice 0.9876`` of one image at each epoch; empty where it has none."""
    if name not in dice.index:
        return ["" for _ in epochs]
    values = dice.loc[[name]].reindex(columns=list(epochs)).to_numpy(dtype=float)[0]
    return [f"Dice {shown_score(value)}" if np.isfinite(value) else "" for value in values]


def _coded(every: pd.Series, chosen: pd.Series) -> tuple[list[str], np.ndarray]:
    """Return the names of ``every`` image, and the position among them of each ``chosen`` one."""
    if isinstance(every.dtype, pd.CategoricalDtype):
        return [str(name) for name in every.cat.categories], chosen.cat.codes.to_numpy(np.int64)
    names = pd.Index(dict.fromkeys(every.astype(str)))
    return list(names), names.get_indexer(pd.Index(chosen.astype(str))).astype(np.int64)

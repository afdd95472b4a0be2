"""What the comparison of runs starts from: configurations, and pixel counts on the same images."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from trainer.analysis.ratios import PixelCounts


def configurations(runs: pd.DataFrame, *, pool_seeds: bool) -> dict[str, list[str]]:
    """Return the runs of each side of a comparison, by the first run's id, in the order given.

    With ``pool_seeds`` runs that differ in their seed alone are one side; else each stands alone.
    """
    sides: dict[str, list[str]] = {}
    first: dict[str, str] = {}
    for run_id, group in runs["seed_group"].items():
        key = group if pool_seeds and isinstance(group, str) else str(run_id)
        side = first.setdefault(key, str(run_id))
        sides.setdefault(side, []).append(str(run_id))
    return sides


def pixel_counts(
    per_image: Mapping[str, Sequence[pd.DataFrame]],
) -> tuple[dict[str, PixelCounts], list[str]]:
    """Return the counts of each side on the images that all of them have, and those images.

    ``per_image`` maps a side to one frame for each of its seeds: rows of one epoch with ``image,
    class, tp, fp, fn``. Raises ``ValueError`` when the sides share no image or differ in classes.
    """
    frames = {side: list(of_side) for side, of_side in per_image.items()}
    every = [frame for of_side in frames.values() for frame in of_side]
    classes = [tuple(dict.fromkeys(frame["class"].astype(str))) for frame in every]
    if len(set(map(frozenset, classes))) > 1:
        raise ValueError("comparison: the runs were evaluated on different classes")
    images = sorted(set.intersection(*(set(frame["image"].astype(str)) for frame in every)))
    if not images:
        raise ValueError(
            "comparison: the runs share no validation image; give them the same data and split_seed"
        )
    counts = {
        side: PixelCounts(
            *(_stacked(of_side, key, images, classes[0]) for key in ("tp", "fp", "fn"))
        )
        for side, of_side in frames.items()
    }
    return counts, images


def differing(params: pd.DataFrame) -> pd.DataFrame:
    """Return the parameters in which rows of ``params.*`` differ: one row each, one column a run.

    A parameter that a run does not have is empty. The run's own name is not one.
    """
    columns = [c for c in params.columns if c.startswith("params.") and c != "params.run_name"]
    rows = {
        column.removeprefix("params."): params[column].fillna("")
        for column in columns
        if params[column].fillna("").nunique() > 1
    }
    return pd.DataFrame(rows, index=params.index).T.rename_axis("parameter")


def _stacked(
    frames: Sequence[pd.DataFrame], key: str, images: list[str], classes: tuple[str, ...]
) -> np.ndarray:
    tables = [
        frame.astype({"image": str, "class": str})
        .pivot_table(index="image", columns="class", values=key, aggfunc="sum")
        .reindex(index=images, columns=list(classes))
        for frame in frames
    ]
    return np.stack([table.to_numpy(dtype=float) for table in tables])

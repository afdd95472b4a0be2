"""The per-image results of runs in the store, ready to be compared."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trainer.analysis.fallen import PerImageDice
from trainer.analysis.ratios import PixelCounts
from trainer.per_image import FOLDER, read_parts
from trainer.tracking import download, find_runs, get_run


@dataclass(frozen=True, kw_only=True)
class ImageResults:
    """Pixel counts ``(seeds, images, classes)`` of one configuration, with what they belong to."""

    name: str
    run_ids: tuple[str, ...]
    images: tuple[str, ...]
    classes: tuple[str, ...]
    counts: PixelCounts


def best_results(run_ids: Sequence[str], *, name: str | None = None) -> ImageResults:
    """Return the validation results of runs of one configuration, each at its best epoch.

    Raises ``ValueError`` when a run has no per-image results, or other images than the first.
    """
    frames = [_at_best_epoch(run_id) for run_id in run_ids]
    return _joined(frames, run_ids, name or run_name(run_ids[0]))


def by_configuration(run_ids: Sequence[str], *, all_seeds: bool = False) -> dict[str, list[str]]:
    """Group runs that differ only in their seed: name of the first one → run ids.

    ``all_seeds`` adds every finished run of the store that repeats one of them. Runs that
    Segscope did not write stand alone.
    """
    groups: dict[str, list[str]] = {}
    for run_id in dict.fromkeys(run_ids):
        group = get_run(run_id).data.tags.get("segscope.seed_group", run_id)
        groups.setdefault(group, []).append(run_id)
    if all_seeds:
        for group, members in groups.items():
            others = find_runs(
                f"tags.`segscope.seed_group` = '{group}' and attributes.status = 'FINISHED'"
            )
            members.extend(r.info.run_id for r in others if r.info.run_id not in members)
    named: dict[str, list[str]] = {}
    for members in groups.values():
        name = run_name(members[0])
        named[name if name not in named else f"{name} {members[0][:6]}"] = members
    return named


def run_name(run_id: str) -> str:
    """Return a run's name, or the beginning of its id where it has none."""
    return get_run(run_id).info.run_name or run_id[:8]


def per_image_dice(frame: pd.DataFrame) -> PerImageDice | None:
    """Return the Dice of `read_parts` rows as one array; None when there are no rows."""
    if frame.empty:
        return None
    epochs, images, classes = (
        list(dict.fromkeys(frame[column])) for column in ("epoch", "image", "class")
    )
    index = pd.MultiIndex.from_product([epochs, images, classes])
    dice = frame.set_index(["epoch", "image", "class"])["dice"].reindex(index)
    shape = (len(epochs), len(images), len(classes))
    return PerImageDice(
        epochs=[int(epoch) for epoch in epochs],
        images=[str(image) for image in images],
        classes=[str(name) for name in classes],
        dice=dice.to_numpy(np.float64).reshape(shape),
    )


def as_results(frame: pd.DataFrame, *, name: str) -> ImageResults:
    """Return `read_parts` rows of one epoch as the results of one model."""
    return _joined([frame], (), name)


def _joined(frames: Sequence[pd.DataFrame], run_ids: Sequence[str], name: str) -> ImageResults:
    first = frames[0]
    images, classes = (tuple(dict.fromkeys(first[column])) for column in ("image", "class"))
    index = pd.MultiIndex.from_product([images, classes])
    arrays: dict[str, list[np.ndarray]] = {"tp": [], "fp": [], "fn": []}
    for number, frame in enumerate(frames):
        table = frame.set_index(["image", "class"])
        if len(table) != len(index) or not table.index.isin(index).all():
            raise ValueError(
                f"run: {run_ids[number]} was evaluated on other images or classes than "
                f"{run_ids[0]}; compare runs on the same split of the same data"
            )
        for key, found in arrays.items():
            found.append(table[key].reindex(index).to_numpy().reshape(len(images), len(classes)))
    stacked: dict[str, Any] = {key: np.stack(found) for key, found in arrays.items()}
    return ImageResults(
        name=name,
        run_ids=tuple(run_ids),
        images=tuple(str(image) for image in images),
        classes=tuple(str(c) for c in classes),
        counts=PixelCounts(**stacked),
    )


def _at_best_epoch(run_id: str) -> pd.DataFrame:
    epoch = get_run(run_id).data.metrics.get("best/epoch")
    if epoch is None:
        raise ValueError(f"run: {run_id} has no best epoch yet; it did not finish, or is foreign")
    part = f"{FOLDER}/epoch-{int(epoch):04d}.parquet"
    with tempfile.TemporaryDirectory(prefix="segscope-") as scratch:
        download(run_id, part, Path(scratch))
        return read_parts(Path(scratch) / FOLDER)

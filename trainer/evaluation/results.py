"""The per-image results of runs in the store, ready to be compared."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from trainer.analysis.per_image_rows import pixel_counts
from trainer.analysis.ratios import PixelCounts
from trainer.evaluation.per_image import FOLDER, read_parts
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
    counts, images, classes = pixel_counts([_at_best_epoch(run_id) for run_id in run_ids])
    return ImageResults(
        name=name or run_name(run_ids[0]),
        run_ids=tuple(run_ids),
        images=images,
        classes=classes,
        counts=counts,
    )


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


def _at_best_epoch(run_id: str) -> pd.DataFrame:
    epoch = get_run(run_id).data.metrics.get("best/epoch")
    if epoch is None:
        raise ValueError(f"run: {run_id} has no best epoch yet; it did not finish, or is foreign")
    part = f"{FOLDER}/epoch-{int(epoch):04d}.parquet"
    with tempfile.TemporaryDirectory(prefix="segscope-") as scratch:
        download(run_id, part, Path(scratch))
        return read_parts(Path(scratch) / FOLDER)

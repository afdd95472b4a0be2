"""Which run is better: the one reader of per-image results, and the one verdict on them.

``trainer compare`` and the pages Compare and Models all ask here. A run stands for the epoch at
which it was best, and sides are compared on the same images of the same data, scored at the same
size, or not at all.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import pandas as pd
from numpy.typing import ArrayLike

from trainer import names
from trainer.analysis.bootstrap import RESAMPLES
from trainer.analysis.comparison import compare_all
from trainer.analysis.history import History, clean
from trainer.analysis.per_image_rows import pixel_counts
from trainer.analysis.ratios import PixelCounts
from trainer.analysis.verdict import Comparison
from trainer.classification.config import SCORES as CLASSIFIER_SCORES
from trainer.classification.config import ClassifyConfig
from trainer.evaluation.per_image import FOLDER, read_part
from trainer.tracking import find_runs
from trainer.tracking.artifacts import artifact_path, state_of
from trainer.tracking.formats import TAG, check_run_format
from trainer.tracking.reading import chosen_runs, histories
from trainer.tracking.standing import UNFINISHED

DIGEST, SIZE = "tags.segscope.data_digest", "params.image_size"
_MUST_AGREE = (
    ("class", "classes", "their scores mean different things"),
    (
        "image",
        "images",
        "one may have been trained on what the other was validated on, so compare "
        "runs with the same split",
    ),
)


@dataclass(frozen=True, kw_only=True)
class BestEpoch:
    """The epoch that a run stands for."""

    epoch: int
    metric: str
    """The headline that it is the best of; empty where nothing tells."""
    caveat: str = ""
    """How it was found where the run itself does not say it, in words."""

    def __str__(self) -> str:
        of_metric = f", the best of {self.metric}" if self.metric else ""
        return f"epoch {self.epoch}{of_metric}{self.caveat and f' ({self.caveat})'}"


class Verdict(NamedTuple):
    """Every pair's comparison, and the epoch that each run stands for, by its id."""

    pairs: list[Comparison]
    best: dict[str, BestEpoch]


def best_epoch(
    run: Mapping[str, Any], curve: Callable[[str], tuple[ArrayLike, ArrayLike]]
) -> BestEpoch | None:
    """Return the epoch at which a run was best; None where nothing tells.

    ``run`` is a row of `trainer.tracking.reading.list_runs`. Its own ``best/epoch`` counts where
    it came to an end. Of a run that goes on, was interrupted or is another program's it is the
    epoch of the highest finite headline, the earliest of equals; ``curve`` returns steps and
    values of a metric, and is asked only then.
    """
    metric = str(run["headline"])
    going_on = run["status"] in UNFINISHED
    # A run that was resumed and then interrupted still has the best epoch of before.
    interrupted = run["outcome"] == "interrupted"
    said = float(run.get("metrics.best/epoch", math.nan))
    if math.isfinite(said) and not going_on and not interrupted:
        if math.isnan(run.get(f"metrics.best/{metric.replace('/', '_')}", 0.0)):
            caveat = f"the last that was kept, for no epoch had a {metric}"
            return BestEpoch(epoch=int(said), metric="", caveat=caveat)
        return BestEpoch(epoch=int(said), metric=metric)
    if not metric:
        return None
    steps, values, _ = clean(*curve(metric))
    if not values.size:
        return None
    caveat = "of its curve, for it names no best epoch itself"
    if going_on or interrupted:
        caveat = f"so far: the run {'has not ended' if going_on else 'was interrupted'}"
    return BestEpoch(epoch=int(steps[values.argmax()]), metric=metric, caveat=caveat)


def which_is_better(
    sides: Mapping[str, Sequence[str]],
    *,
    score: str | None = None,
    resamples: int = RESAMPLES,
    of_models: bool = False,
) -> Verdict:
    """Return the verdict on every pair of sides; a side is its name and its runs.

    Each run counts with its validation images at its best epoch. ``score`` is Dice when left
    out, of classifiers the balanced accuracy. ``of_models``: it is about the
    models of these runs and not about their configurations. Raises ``ValueError`` when there
    is no such run, when one has no results to compare, and, naming how they differ, when the runs
    were trained on different data, or validated on different images or classes or at other sizes.
    """
    side_of = {run_id: side for side, run_ids in sides.items() for run_id in run_ids}
    runs = chosen(side_of)
    are_classifiers = (runs["kind"] == ClassifyConfig.kind).any()
    score = score or (CLASSIFIER_SCORES[0] if are_classifiers else "dice")
    if are_classifiers:
        names.check("score of classifiers", score, CLASSIFIER_SCORES)
    best, rows = _at_best(side_of, runs)
    _refuse_other_data(side_of, runs)
    _refuse_other_images(side_of, rows)
    _refuse_other_sizes(side_of, runs, rows)
    counts, images, _ = pixel_counts(list(rows.values()))
    configurations = {
        side: PixelCounts(
            *(getattr(counts, key)[places] for key in ("tp", "fp", "fn")), groups=counts.groups
        )
        for side, places in _places(side_of).items()
    }
    pairs = compare_all(
        configurations, images=images, score=score, resamples=resamples, of_models=of_models
    )
    return Verdict([_noted(pair, sides, best) for pair in pairs], best)


def configurations(runs: pd.DataFrame) -> dict[str, list[str]]:
    """Return the ids of runs that differ only in their seed, by the first one's, in their order.

    ``runs`` is a table of runs. Those that Segscope did not write stand alone.
    """
    sides: dict[str, list[str]] = {}
    first: dict[str, str] = {}
    for run_id, group in runs["seed_group"].items():
        side = first.setdefault(group if isinstance(group, str) else str(run_id), str(run_id))
        sides.setdefault(side, []).append(str(run_id))
    return sides


def by_configuration(run_ids: Iterable[str], *, all_seeds: bool = False) -> dict[str, list[str]]:
    """Group runs that differ only in their seed: name of the first one → run ids.

    ``all_seeds`` adds every finished run of the store that repeats one of them. Raises
    ``ValueError`` when the store has no such run.
    """
    runs = chosen(run_ids)
    named: dict[str, list[str]] = {}
    for first, members in configurations(runs).items():
        group, name = runs["seed_group"][first], runs["name"][first] or first[:8]
        if all_seeds and isinstance(group, str):
            repeats = find_runs(
                f"tags.`segscope.seed_group` = '{group}' and attributes.status = 'FINISHED'"
            )
            members.extend(r.info.run_id for r in repeats if r.info.run_id not in members)
        named[name if name not in named else f"{name} {first[:6]}"] = members
    return named


def chosen(run_ids: Iterable[str]) -> pd.DataFrame:
    """Return the rows of some runs, each once, in the order given.

    Raises ``ValueError`` for one that is no run, and one that a later version wrote.
    """
    wanted = list(dict.fromkeys(run_ids))
    runs = chosen_runs(wanted)
    for run_id in wanted:
        if run_id not in runs.index:
            raise ValueError(f"run: there is no run {run_id!r} in this store")
        written: Any = runs.loc[run_id].get(f"tags.{TAG}")
        check_run_format(run_id, {TAG: written} if isinstance(written, str) else {})
    return runs.loc[wanted]


def history(run_id: str, metric: str) -> History:
    """Return all that a run logged of a metric, in the order logged; empty when it did not."""
    logged = histories([run_id], [metric])
    return History(logged["step"].to_numpy(), logged["value"].to_numpy())


def _at_best(
    side_of: Mapping[str, str], runs: pd.DataFrame
) -> tuple[dict[str, BestEpoch], dict[str, pd.DataFrame]]:
    """Return the best epoch of each run and its rows of per-image results there."""
    best: dict[str, BestEpoch] = {}
    rows: dict[str, pd.DataFrame] = {}
    lacking = []
    for run_id, side in side_of.items():
        run: Any = runs.loc[run_id]
        at = best_epoch(run, partial(history, run_id))
        if at is None:
            lacking.append(f"{side} (no epoch is known to be its best)")
            continue
        part = f"{FOLDER}/epoch-{at.epoch:04d}.parquet"
        try:
            path = artifact_path(run_id, run["artifact_uri"], part, version=state_of(run["ended"]))
        except ValueError as error:
            lacking.append(f"{side} (of {at}; {error})")
            continue
        if path is None:
            lacking.append(f"{side} (of {at})")
            continue
        best[run_id], rows[run_id] = at, read_part(path)
    if lacking:
        raise ValueError(
            f"runs: a verdict needs the per-image results of each run's best epoch; without: "
            f"{', '.join(lacking)}"
        )
    return best, rows


def _refuse_other_data(side_of: Mapping[str, str], runs: pd.DataFrame) -> None:
    first, *_ = side_of
    digests = {run_id: runs.loc[run_id].get(DIGEST) for run_id in side_of}
    for run_id, digest in digests.items():
        if not isinstance(digest, str):
            raise ValueError(
                f"data: {side_of[run_id]} does not say what data it was trained on (it has no tag "
                f"{DIGEST.removeprefix('tags.')}); compare runs that do"
            )
        if digest != digests[first]:
            raise ValueError(
                f"data: {side_of[first]} and {side_of[run_id]} were trained on different data "
                f"(digests {digests[first]} and {digest}); compare runs on the same data"
            )


def _refuse_other_images(side_of: Mapping[str, str], rows: Mapping[str, pd.DataFrame]) -> None:
    for what, plural, cure in _MUST_AGREE:
        names = {r: set(of_run[what].astype(str)) for r, of_run in rows.items()}
        first, *others = names
        for other in others:
            ours, theirs = names[first] - names[other], names[other] - names[first]
            if ours or theirs:
                common = len(names[first] & names[other])
                raise ValueError(
                    f"{plural}: {side_of[first]} and {side_of[other]} were validated on different "
                    f"{plural}: {common} in common, {len(ours)} and {len(theirs)} of their own, "
                    f"such as {min(ours | theirs)}; {cure}"
                )


def _refuse_other_sizes(
    side_of: Mapping[str, str], runs: pd.DataFrame, rows: Mapping[str, pd.DataFrame]
) -> None:
    """Refuse targets that differ in pixels, as those of one image scaled to two sizes do."""
    targets = {run_id: _target_pixels(of_run) for run_id, of_run in rows.items()}
    first, *others = targets
    for other in others:
        if targets[first].equals(targets[other]):
            continue
        sizes = [runs.loc[run_id].get(SIZE) for run_id in (first, other)]
        read = [size if isinstance(size, str) else "the images' own" for size in sizes]
        raise ValueError(
            f"image size: the targets of {side_of[first]} ({read[0]}) and {side_of[other]} "
            f"({read[1]}) differ in pixels, which moves scores by itself; compare runs of one size"
        )


def _target_pixels(of_run: pd.DataFrame) -> pd.Series:
    names = [of_run["image"].astype(str), of_run["class"].astype(str)]
    return (of_run["tp"] + of_run["fn"]).set_axis(names).sort_index()


def _places(side_of: Mapping[str, str]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for place, side in enumerate(side_of.values()):
        places.setdefault(side, []).append(place)
    return places


def _noted(
    pair: Comparison, sides: Mapping[str, Sequence[str]], best: Mapping[str, BestEpoch]
) -> Comparison:
    """Add what a reader must know of the epochs that the two sides stand for."""
    notes = list(pair.notes)
    chosen_by = [sorted({best[r].metric for r in sides[side]}) for side in (pair.a, pair.b)]
    if chosen_by[0] != chosen_by[1]:
        of_a, of_b = (" and ".join(metrics) for metrics in chosen_by)
        notes.append(f"{pair.a} is at its best {of_a}, {pair.b} at its best {of_b}")
    for side in (pair.a, pair.b):
        notes += [f"{side} stands at {best[r]}" for r in sides[side] if best[r].caveat]
    return replace(pair, notes=tuple(notes))

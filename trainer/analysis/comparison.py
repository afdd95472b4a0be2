"""Compare configurations by resampling, given what images and seeds explain.

Both sides were evaluated on the same images, so their groups are resampled in pairs; where each
side has several runs that differ only in their seed, seeds are resampled too. See
`trainer.analysis.bootstrap` for the interval, and docs/metrics.md for how often a verdict is false.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainer.analysis.bootstrap import FEWEST_UNITS, RESAMPLES, intervals
from trainer.analysis.ratios import PixelCounts, Sample, ratio_of
from trainer.analysis.score_table import check_comparable, headlines
from trainer.analysis.scores import nan_mean_last
from trainer.analysis.verdict import Comparison, Difference, ImageDifference

LEVEL = 0.95


def compare(
    a: PixelCounts,
    b: PixelCounts,
    *,
    names: tuple[str, str] = ("A", "B"),
    images: Sequence[str] | None = None,
    score: str = "dice",
    scores: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
    at_most: int = 10,
    of_models: bool = False,
) -> Comparison:
    """Return the verdict on two configurations evaluated on the same images, in the same order.

    ``score`` decides; ``scores``, the headline ones unless others are named, are computed beside
    it from the same resamples. ``images`` are the images' names; ``at_most`` so many that differ
    most are returned. ``of_models``: it is about the two models and not about their
    configurations. Raises ``ValueError`` when the two sides have different images, groups or
    classes.
    """
    check_comparable(score)
    _check_alike(a, b, names)
    labels = _image_names(images, a.images)
    wanted = dict.fromkeys((score, *(headlines() if scores is None else scores)))
    ratios = {name: (ratio_of(name, a), ratio_of(name, b)) for name in wanted}
    found = intervals(
        {name: [(1, of_a), (-1, of_b)] for name, (of_a, of_b) in ratios.items()},
        a.sample,
        resamples=resamples,
        seed=seed,
        level=level,
    )
    differences = {
        name: Difference(
            score=name,
            a=float(of_a.of_all().mean()),
            b=float(of_b.of_all().mean()),
            interval=found[name],
        )
        for name, (of_a, of_b) in ratios.items()
    }
    deciding = found[score]
    known = np.isfinite(deciding.value)
    return Comparison(
        a=names[0],
        b=names[1],
        score=score,
        differences=differences,
        sample=a.sample,
        seeds=(a.seeds, b.seeds),
        of_models=of_models,
        over_seeds=deciding.over_seeds,
        resamples=resamples,
        level=level,
        p_value=deciding.p_value,
        adjusted_p_value=deciding.p_value,
        most_different=_most_different(a, b, labels)[:at_most],
        notes=_notes(a.sample, (a.seeds, b.seeds), of_models) if known else (),
    )


def compare_all(
    configurations: Mapping[str, PixelCounts],
    *,
    images: Sequence[str] | None = None,
    score: str = "dice",
    scores: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
    of_models: bool = False,
) -> list[Comparison]:
    """Return every pair's comparison, the verdicts corrected for their number after Holm.

    The intervals stay those of each pair alone. Raises ``ValueError`` for fewer than two.
    """
    if len(configurations) < 2:
        raise ValueError(f"configurations: {len(configurations)} given; a comparison needs two")
    pairs = [
        compare(
            configurations[a],
            configurations[b],
            names=(a, b),
            images=images,
            score=score,
            scores=scores,
            resamples=resamples,
            seed=seed,
            level=level,
            of_models=of_models,
        )
        for a, b in combinations(configurations, 2)
    ]
    adjusted = holm([pair.p_value for pair in pairs])
    return [
        replace(pair, comparisons=len(pairs), adjusted_p_value=float(p))
        for pair, p in zip(pairs, adjusted, strict=True)
    ]


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return the p-values adjusted for their number: Holm's step-down (Scand. J. Stat. 1979).

    Of m, the k-th smallest is multiplied by m − k + 1, and none is below the one before it. A NaN
    stays one and does not count.
    """
    values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(values.shape, np.nan)
    order = np.argsort(values, kind="stable")  # NaN sorts last
    order = order[~np.isnan(values[order])]
    factors = np.arange(order.size, 0, -1)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(values[order] * factors))
    return adjusted


def _check_alike(a: PixelCounts, b: PixelCounts, names: tuple[str, str]) -> None:
    for what in ("images", "classes", "groups"):
        of_a, of_b = getattr(a, what), getattr(b, what)
        if of_a != of_b:
            raise ValueError(
                f"{what}: {names[0]} has {of_a}, {names[1]} has {of_b}; evaluate both on the same "
                "split of the same data"
            )


def _image_names(images: Sequence[str] | None, number: int) -> Sequence[str]:
    if images is None:
        return [str(at) for at in range(number)]
    if len(images) != number:
        raise ValueError(f"images: {len(images)} names for {number} images; give one each")
    return images


def _most_different(
    a: PixelCounts, b: PixelCounts, images: Sequence[str]
) -> tuple[ImageDifference, ...]:
    of_a, of_b = (nan_mean_last(side.dice_of_images().T) for side in (a, b))
    size = np.abs(of_a - of_b)
    order = [
        at for at in np.argsort(-size, kind="stable") if np.isfinite(size[at]) and size[at] > 0
    ]
    return tuple(
        ImageDifference(image=images[at], a=float(of_a[at]), b=float(of_b[at])) for at in order
    )


def _notes(sample: Sample, seeds: tuple[int, int], of_models: bool) -> tuple[str, ...]:
    notes = []
    if sample.groups is None:
        notes.append("groups unknown: images are taken for independent")
    if sample.units < FEWEST_UNITS:
        notes.append(
            f"fewer than {FEWEST_UNITS} {sample.unit} are too few for any verdict; validate on more"
        )
    elif of_models:
        notes.append("this is about these two models; another seed of each may turn it round")
    elif min(seeds) == 2:
        notes.append("two seeds say little of their spread, which the interval allows for")
    return tuple(notes)

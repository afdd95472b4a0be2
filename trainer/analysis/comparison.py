"""Say whether one configuration is better than another, given what images and seeds explain.

Both sides were evaluated on the same images, so images are resampled in pairs; where each side
has several runs that differ only in their seed, seeds are resampled too. See
`trainer.analysis.bootstrap` for the interval, and docs/metrics.md for its measured coverage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainer.analysis.bootstrap import FEWEST_IMAGES, RESAMPLES, Interval, intervals
from trainer.analysis.findings import plain
from trainer.analysis.ratios import PixelCounts, ratio_of
from trainer.analysis.score_table import check_comparable, headlines, higher_is_better
from trainer.analysis.scores import nan_mean_last

LEVEL = 0.95
SMALLEST_P = 1e-4
"""A smaller p-value says more about the bootstrap's assumptions than about the models."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One score of both sides, and the interval of A less B."""

    score: str
    a: float
    b: float
    interval: Interval

    def turned(self) -> "Difference":
        """Return B less A."""
        return replace(self, a=self.b, b=self.a, interval=self.interval.negated())


@dataclass(frozen=True, kw_only=True)
class ImageDifference:
    """One image's Dice under both sides, each a mean over seeds and headline classes."""

    image: str
    a: float
    b: float

    @property
    def difference(self) -> float:
        """A less B."""
        return self.a - self.b


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two configurations on the same images, and the verdict on one score."""

    a: str
    b: str
    score: str
    """The score that the verdict is about."""
    differences: Mapping[str, Difference]
    images: int
    seeds: tuple[int, int]
    over_seeds: bool
    resamples: int
    level: float
    comparisons: int = 1
    """Number of comparisons made together, which Holm's correction allows for."""
    p_value: float
    adjusted_p_value: float
    most_different: tuple[ImageDifference, ...]
    """Images by the size of their difference, the largest first."""
    notes: tuple[str, ...] = ()
    """What a reader must know before relying on the verdict."""

    @property
    def interval(self) -> Interval:
        """The interval of the score that the verdict is about."""
        return self.differences[self.score].interval

    @property
    def gain(self) -> float:
        """How much better A scores than B, whichever way the score is good."""
        return self.interval.value if higher_is_better(self.score) else -self.interval.value

    @property
    def distinguishable(self) -> bool:
        """Whether the difference exceeds what seeds and images explain."""
        enough = self.images >= FEWEST_IMAGES
        return enough and bool(self.adjusted_p_value < 1 - self.level)

    @property
    def verdict(self) -> str:
        """``A better``, ``B better`` or ``not distinguishable with n = …``."""
        if not self.distinguishable:
            return f"not distinguishable with n = {self.n}"
        return "A better" if self.gain > 0 else "B better"

    @property
    def n(self) -> str:
        """What the comparison rests on, in words."""
        fewest, most = min(self.seeds), max(self.seeds)
        runs = f"{fewest} seed{'s' * (fewest > 1)} each"
        if fewest != most:
            runs = f"{self.seeds[0]} and {self.seeds[1]} seeds"
        return f"{self.images} image{'s' * (self.images > 1)}, {runs}"

    @property
    def sentence(self) -> str:
        """The verdict for people, with the numbers that it rests on."""
        shown = self.differences[self.score]
        if self.distinguishable:
            said = (
                f"{self.a} is {'better' if self.gain > 0 else 'worse'} than {self.b}: "
                f"{self.score} {shown.a:.4f} against {shown.b:.4f}"
            )
        else:
            said = (
                f"{self.a} and {self.b} are not distinguishable with n = {self.n}: "
                f"{self.score} {shown.a:.4f} and {shown.b:.4f}"
            )
        count = f"; n = {self.n}" if self.distinguishable else ""
        return f"{said} ({self.evidence}{count})"

    @property
    def line(self) -> str:
        """The verdict where A and B are explained beside it, with the numbers that it rests on."""
        shown = self.differences[self.score]
        count = f", n = {self.n}" if self.distinguishable else ""
        return (
            f"{self.verdict}: {self.score} {shown.a:.4f} and {shown.b:.4f}, {self.evidence}{count}"
        )

    @property
    def evidence(self) -> str:
        """The difference, its interval and its p-value, in words."""
        interval = self.interval
        holm = f", Holm over {self.comparisons}" if self.comparisons > 1 else ""
        p = self.adjusted_p_value
        return (
            f"difference {interval.value:+.4f}, {self.level:.0%} interval {interval.low:+.4f} to "
            f"{interval.high:+.4f}, p {f'= {p:.3g}' if p >= SMALLEST_P else '< 0.0001'}{holm}"
        )

    def better_first(self) -> "Comparison":
        """Return the same comparison with the side that has the better score as A."""
        if not self.gain < 0:
            return self
        return replace(
            self,
            a=self.b,
            b=self.a,
            differences={key: found.turned() for key, found in self.differences.items()},
            seeds=self.seeds[::-1],
            most_different=tuple(replace(d, a=d.b, b=d.a) for d in self.most_different),
        )

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values that JSON can hold; NaN becomes None."""
        values = asdict(self) | {"verdict": self.verdict, "sentence": self.sentence}
        for shown, image in zip(values["most_different"], self.most_different, strict=True):
            shown["difference"] = image.difference
        as_plain: dict[str, Any] = plain(values)
        return as_plain


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
) -> Comparison:
    """Return the verdict on two configurations evaluated on the same images, in the same order.

    ``score`` decides; ``scores``, the headline ones unless others are named, are computed beside
    it from the same resamples. ``images`` are the images' names; ``at_most`` so many that differ
    most are returned. Raises ``ValueError`` when the two sides have different images or classes.
    """
    check_comparable(score)
    _check_alike(a, b, names)
    labels = _image_names(images, a.images)
    wanted = dict.fromkeys((score, *(headlines() if scores is None else scores)))
    ratios = {name: (ratio_of(name, a), ratio_of(name, b)) for name in wanted}
    found = intervals(
        {name: [(1, of_a), (-1, of_b)] for name, (of_a, of_b) in ratios.items()},
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
    return Comparison(
        a=names[0],
        b=names[1],
        score=score,
        differences=differences,
        images=a.images,
        seeds=(a.seeds, b.seeds),
        over_seeds=deciding.over_seeds,
        resamples=resamples,
        level=level,
        p_value=deciding.p_value,
        adjusted_p_value=deciding.p_value,
        most_different=_most_different(a, b, labels)[:at_most],
        notes=_notes(a, b, names),
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
    for what in ("images", "classes"):
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


def _notes(a: PixelCounts, b: PixelCounts, names: tuple[str, str]) -> tuple[str, ...]:
    notes = []
    if a.images < FEWEST_IMAGES:
        notes.append(
            f"{a.images} images are too few for any verdict; evaluate on {FEWEST_IMAGES} or more"
        )
    if min(a.seeds, b.seeds) == 1:
        notes.append(
            "with one seed on a side this is about these trained models, not about their "
            "configurations: another seed may turn it round"
        )
    elif min(a.seeds, b.seeds) == 2:
        notes.append("two seeds say little about their spread, so the interval is very wide")
    if not np.allclose((a.tp + a.fn)[0], (b.tp + b.fn)[0]):
        notes.append(
            f"the targets of {names[0]} and {names[1]} differ in pixels: they were evaluated at "
            "different sizes, which moves scores by itself"
        )
    return tuple(notes)

"""The verdict on two configurations, or two models, in words and numbers.

Which words: "better" and a p-value answer what was asked. With one seed on a side nothing is said
of configurations, since another seed may turn it round, only whether these models differ.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from trainer.analysis.bootstrap import FEWEST_UNITS, Interval
from trainer.analysis.findings import plain
from trainer.analysis.planning import needed
from trainer.analysis.ratios import Sample
from trainer.analysis.score_table import higher_is_better
from trainer.wording import counted

PLANNED = (0.005, 0.01)
"""The differences that are planned for; the last one under every verdict that tells none."""
ONE_SEED = "of the configurations nothing is known: repeat with --seeds 3"
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
    """Two configurations, or two models, on the same images, and the verdict on one score."""

    a: str
    b: str
    score: str
    """The score that the verdict is about."""
    differences: Mapping[str, Difference]
    sample: Sample
    seeds: tuple[int, int]
    of_models: bool = False
    """Whether two models are asked about and not their configurations."""
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
        return bool(self.adjusted_p_value < 1 - self.level)

    @property
    def is_defined(self) -> bool:
        """Whether both sides have the score: that of a class that is nowhere is undefined."""
        return math.isfinite(self.interval.value)

    @property
    def tells(self) -> bool:
        """Whether there are a score and images enough to tell anything."""
        return self.is_defined and self.sample.units >= FEWEST_UNITS

    @property
    def answers(self) -> bool:
        """Whether it is about what is asked: about configurations it takes two seeds a side."""
        return self.of_models or self.over_seeds

    @property
    def verdict(self) -> str:
        """``A better``, ``B better`` or ``not distinguishable with n = …``; else what is known.

        With too few groups, or no score, nothing is; with one seed on a side, whether these models
        differ.
        """
        return f"{self._claim}{self._limit}"

    @property
    def _limit(self) -> str:
        return f"; {ONE_SEED}" if self.tells and not self.answers else ""

    @property
    def _claim(self) -> str:
        if not self.is_defined:
            return f"nothing can be told: {self.score} is undefined on these images"
        if not self.tells:
            return f"nothing can be told with n = {self.n}"
        if not self.answers:
            differ = "differ" if self.distinguishable else "do not differ measurably"
            return f"these {'two ' * (self.seeds == (1, 1))}models {differ} on these images"
        if not self.distinguishable:
            return f"not distinguishable with n = {self.n}"
        return "A better" if self.gain > 0 else "B better"

    @property
    def n(self) -> str:
        """What the comparison rests on, in words."""
        fewest, most = min(self.seeds), max(self.seeds)
        runs = f"{counted(fewest, 'seed')} each"
        if fewest != most:
            runs = f"{self.seeds[0]} and {self.seeds[1]} seeds"
        return f"{self.sample}, {runs}"

    @property
    def sentence(self) -> str:
        """The verdict for people, with the numbers that it rests on."""
        shown = self.differences[self.score]
        said, link = f"{self.a} and {self.b}: {self._claim}", "and"
        if not self.is_defined:
            return f"{said} (n = {self.n})"
        if self.tells and self.answers:
            said = f"{self.a} and {self.b} are {self._claim}"
            if self.distinguishable:
                better = "better" if self.gain > 0 else "worse"
                said, link = f"{self.a} is {better} than {self.b}", "against"
        return (
            f"{said}: {self.score} {shown.a:.4f} {link} {shown.b:.4f} "
            f"({self.evidence}{self._count('; ')}){self._limit}"
        )

    @property
    def line(self) -> str:
        """The verdict where A and B are explained beside it, with the numbers that it rests on."""
        shown = self.differences[self.score]
        if not self.is_defined:
            return f"{self._claim}{self._count(', ')}"
        return (
            f"{self._claim}: {self.score} {shown.a:.4f} and {shown.b:.4f}, {self.evidence}"
            f"{self._count(', ')}{self._limit}"
        )

    def _count(self, before: str) -> str:
        return "" if "n = " in self._claim else f"{before}n = {self.n}"

    @property
    def evidence(self) -> str:
        """The difference in words, its interval, and its p-value where it answers the question."""
        interval = self.interval
        difference = f"difference {interval.value:+.4f}"
        if not self.tells:
            return difference
        p = self.adjusted_p_value
        holm = f", Holm over {self.comparisons}" if self.comparisons > 1 else ""
        chance = f", p {f'= {p:.3g}' if p >= SMALLEST_P else '< 0.0001'}{holm}"
        return (
            f"{difference}, {self.level:.0%} interval {interval.low:+.4f} to {interval.high:+.4f}"
            f"{chance if self.answers else ''}"
        )

    @property
    def is_open(self) -> bool:
        """Whether nothing is told apart though there are images enough to tell something."""
        return self.tells and not self.distinguishable

    def plans(self) -> list[str]:
        """Return how many seeds and groups of images would tell each of `PLANNED`, in words."""
        if not self.is_defined:
            return []
        shares = self.interval.shares
        return [needed(shares, difference, unit=self.sample.unit) for difference in PLANNED]

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
        """Return everything as plain values that JSON can hold; NaN becomes None.

        A p-value is given where the verdict has one: not of models where configurations are asked
        about.
        """
        values = asdict(self) | asdict(self.sample)
        if not self.answers:
            values |= {"p_value": None, "adjusted_p_value": None}
            for difference in values["differences"].values():
                difference["interval"]["p_value"] = None
        values |= {"verdict": self.verdict, "sentence": self.sentence, "plans": self.plans()}
        for shown, image in zip(values["most_different"], self.most_different, strict=True):
            shown["difference"] = image.difference
        as_plain: dict[str, Any] = plain(values)
        return as_plain

"""Made-up evaluations of configurations whose true difference is known.

A world says how groups, images and seeds vary. The truth is that of a population of two million
images, with seeds the mean over many small ones.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trainer.analysis.ratios import PixelCounts, ratio_of

Floats = NDArray[np.float64]
IMAGES_OF_TRUTH = 2_000_000


@dataclass(frozen=True, kw_only=True)
class World:
    """How groups, images and seeds vary: spreads of the log-odds of a wrong pixel."""

    failures: float = 0.0
    """Share of images on which a model fails at random."""
    difficulty: float = 0.8
    """Spread between images, the same for both configurations."""
    taste: float = 0.3
    """Spread between images that differs between the configurations."""
    seeds: float = 0.0
    """Spread between seeds."""
    noise: float = 0.4
    """Spread particular to an image under one seed."""
    gap: float = 0.3
    """By how much the configurations differ on average."""
    views: int = 1
    """Images of one group (the views of a car); they are of one size, more or less."""
    group_difficulty: float = 0.0
    """Spread between groups, the same for both configurations."""
    group_taste: float = 0.0
    """Spread between groups that differs between the configurations."""
    group_noise: float = 0.0
    """Spread particular to a group under one seed."""

    def draw(
        self, random: np.random.Generator, images: int, seeds: int, *, sides: int = 2
    ) -> list[PixelCounts]:
        """Return the counts of so many configurations on the same images; class 0 is background.

        The first is by the gap worse than each other.
        """
        groups = -(-images // self.views)
        group = np.repeat(np.arange(groups), self.views)[:images]
        spread = 0.5 if self.views == 1 else 0.15
        shared = 0.0 if self.views == 1 else random.normal(0, 0.5, groups)[group]
        size = np.exp(-1.5 + shared + random.normal(0, spread, images)).clip(max=0.8)
        hard = random.normal(0, self.difficulty, images)
        hard = hard + random.normal(0, self.group_difficulty, groups)[group]
        drawn = []
        for level in (-3.0, *[-3.0 - self.gap] * (sides - 1)):
            logit = level + hard + random.normal(0, self.taste, images)
            logit = logit + random.normal(0, self.group_taste, groups)[group]
            logit = logit + random.normal(0, self.seeds, (seeds, 1))
            logit = logit + random.normal(0, self.group_noise, (seeds, groups))[:, group]
            logit = logit + random.normal(0, self.noise, (seeds, images))
            error = 1 / (1 + np.exp(-logit))
            failed = random.random(error.shape) < self.failures
            error = np.where(failed, np.maximum(error, random.random(error.shape)), error)
            missed = size * error * random.random(error.shape)
            added = np.minimum(size * error - missed, 1 - size)
            tp = np.stack([1 - size - added, size - missed], axis=-1)
            drawn.append(
                PixelCounts(
                    tp=tp,
                    fp=np.stack([missed, added], axis=-1),
                    fn=np.stack([added, missed], axis=-1),
                    groups=[str(at) for at in group],
                )
            )
        return drawn

    def truth(self, scores: tuple[str, ...], images: int = IMAGES_OF_TRUTH) -> dict[str, float]:
        """Return by how much the second is better in each score, and the Dice of the first."""
        random = np.random.default_rng(12345)
        size = 500 if self.seeds else 50_000
        draws = [self.draw(random, size, 1) for _ in range(images // size)]
        found = {
            name: np.mean([_mean(b, name) - _mean(a, name) for a, b in draws]) for name in scores
        }
        return {name: float(value) for name, value in found.items()} | {
            "dice of one": float(np.mean([_mean(a, "dice") for a, _ in draws]))
        }

    def with_difference(self, wanted: float) -> "World":
        """Return the world whose true difference in Dice is ``wanted``, by bisection of the gap."""
        low, high = 0.0, 2.0
        for _ in range(12):
            middle = (low + high) / 2
            found = replace(self, gap=middle).truth(("dice",), images=200_000)["dice"]
            low, high = (middle, high) if found < wanted else (low, middle)
        return replace(self, gap=(low + high) / 2)


def _mean(counts: PixelCounts, score: str) -> float:
    return float(ratio_of(score, counts).of_all().mean())

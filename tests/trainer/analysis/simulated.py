"""Made-up evaluations for the tests of resampling."""

import numpy as np

from trainer.analysis.ratios import PixelCounts

Random = np.random.Generator


def counts(random: Random, images: int, seeds: int = 1, classes: int = 3) -> PixelCounts:
    """Random counts; some classes are absent from some images."""
    shape = (seeds, images, classes)
    present = random.random((1, images, classes)) < 0.8
    tp, fp, fn = (
        random.integers(low, high, shape) * present for low, high in ((0, 900), (0, 100), (0, 100))
    )
    return PixelCounts(tp, fp, fn)


def pair(
    random: Random,
    images: int,
    *,
    gap: float = 0.0,
    seeds: int = 1,
    seed_spread: float = 0.0,
    views: int | None = None,
    taste: float = 0.0,
) -> tuple[PixelCounts, PixelCounts]:
    """Two binary segmenters on the same images; the second has ``gap`` less error in log-odds.

    Each ``views`` images are a group, to which either side takes with a spread of ``taste``.
    """
    group = np.arange(images) // (views or 1)
    size = random.uniform(0.1, 0.4, images)
    hard = random.normal(0, 0.7, images)
    both = []
    for level in (-2.5, -2.5 - gap):
        logit = level + hard + random.normal(0, 0.4, (seeds, images))
        liked = random.normal(0, taste, group[-1] + 1)[group] if taste else 0.0
        error = 1 / (1 + np.exp(-logit - liked - random.normal(0, seed_spread, (seeds, 1))))
        missed, added = size * error * 0.6, size * error * 0.4
        both.append(
            PixelCounts(
                tp=np.stack([1 - size - added, size - missed], axis=-1),
                fp=np.stack([missed, added], axis=-1),
                fn=np.stack([added, missed], axis=-1),
                groups=None if views is None else [str(at) for at in group],
            )
        )
    return both[0], both[1]

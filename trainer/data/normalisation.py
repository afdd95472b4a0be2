"""Mean and standard deviation by which the network's input is normalised."""

import numpy as np
from numpy.typing import NDArray

from trainer.catalogue.data import NORMALISATIONS
from trainer.names import check

Values = tuple[float, ...]

# Of the ImageNet training set, as torchvision and every backbone trained there use them.
IMAGENET_MEAN: Values = (0.485, 0.456, 0.406)
IMAGENET_STD: Values = (0.229, 0.224, 0.225)


def normalisation(
    name: str,
    sums: NDArray[np.int64],
    square_sums: NDArray[np.int64],
    pixels: int,
) -> tuple[Values, Values]:
    """Return mean and standard deviation of each channel, for values from 0 to 1.

    ``sums`` and ``square_sums`` are, per channel, those of the training images' values (0 to
    255), and ``pixels`` their number of pixels; ``dataset`` alone uses them: every pixel counts
    the same, and the deviation is the population's. A channel that never varies gets deviation
    1, not 0. ``none`` leaves 0 to 1 as it is. Raises ``ValueError`` for an unknown name.
    """
    check("normalisation", name, NORMALISATIONS)
    if name == "none":
        return (0.0,) * len(sums), (1.0,) * len(sums)
    if name == "imagenet":
        return IMAGENET_MEAN, IMAGENET_STD
    # Whole numbers until the last step: a difference of two large float sums would lose digits.
    variances = [
        (pixels * int(squares) - int(total) ** 2) / (pixels * 255) ** 2
        for total, squares in zip(sums, square_sums, strict=True)
    ]
    means = tuple(float(total) / (255 * pixels) for total in sums)
    return means, tuple(variance**0.5 if variance > 0 else 1.0 for variance in variances)

"""Weights of the classes in the loss, from how many pixels each has.

All are undefined for a class without a pixel, which no loss would ever look up; it gets 0.
"""

import numpy as np
from numpy.typing import NDArray

from trainer.catalogue.losses import CLASS_WEIGHTS
from trainer.names import check

Counts = NDArray[np.int64]
Weights = NDArray[np.float64]


def class_weights(
    name: str, class_pixels: Counts, present_pixels: Counts | None = None
) -> Weights | None:
    """Return one weight per class, float64 ``(num_classes,)``; None for ``none``.

    ``class_pixels`` counts each class over the training targets, void left out.
    ``present_pixels`` counts, for each class, the labelled pixels of the images that show it;
    left out, every class is taken to be in every image. Raises ``ValueError`` for an unknown
    name or when no pixel is labelled.
    """
    check("class_weights", name, CLASS_WEIGHTS)
    if name == "none":
        return None
    pixels = np.asarray(class_pixels, dtype=np.float64)
    if not pixels.sum():
        raise ValueError("class_weights: no training pixel is labelled; check the masks")
    present = np.full_like(pixels, pixels.sum())
    if present_pixels is not None:
        present = np.asarray(present_pixels, dtype=np.float64)
    weights = np.zeros_like(pixels)
    seen = pixels > 0
    if name == "inverse":
        weights[seen] = _inverse(pixels[seen])
    elif name == "median-frequency":
        weights[seen] = _median_frequency(pixels[seen], present[seen])
    else:
        weights[seen] = _effective_number(pixels[seen])
    return weights


def _inverse(pixels: Weights) -> Weights:
    """N / (K n_c): each class adds the same to the loss, and an average pixel weighs 1."""
    return np.asarray(pixels.sum() / (len(pixels) * pixels))


def _median_frequency(pixels: Weights, present: Weights) -> Weights:
    """median(f) / f_c, f_c = n_c / pixels of the images that show c.

    Source: Eigen and Fergus, ICCV 2015, section 6.3.2 (arXiv 1411.4734).
    """
    frequency = pixels / present
    return np.asarray(np.median(frequency) / frequency)


def _effective_number(pixels: Weights) -> Weights:
    """1 / E_c, scaled to a mean of 1, with E_c = (1 - beta^n_c) / (1 - beta).

    Source: Cui et al., CVPR 2019 (arXiv 1901.05555), where beta = (N - 1) / N and N is the
    number of distinct samples. We take N to be all labelled pixels: the usual constant 0.9999
    is meant for images, and every class of pixels lies so far above 10,000 that all weights
    would be equal. With this N they depend on the classes' shares alone, not on the resolution.
    """
    total = pixels.sum()
    # expm1 and log1p: beta is too near to 1 for beta ** n to keep its digits.
    effective = -np.expm1(pixels * np.log1p(-1 / total)) * total if total > 1 else pixels
    weights = 1 / effective
    return np.asarray(weights * len(weights) / weights.sum())

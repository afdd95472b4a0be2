"""Boundary IoU: how well outlines agree, where a large object's area hides it.

Cheng, Girshick, Dollár, Berg and Kirillov, CVPR 2021 (arXiv 2103.16562): the IoU of the two
masks' inner boundary bands, as wide as 2 % of the image's diagonal.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.data.collection import VOID

SHARE_OF_DIAGONAL = 0.02
Mask = NDArray[np.uint8]


def boundary_confusion(predicted: Mask, target: Mask, num_classes: int) -> NDArray[np.int64]:
    """Return TP, FP and FN of the boundary bands, ``(3, num_classes)``, in pixels.

    Both maps are ``(height, width)`` class indices. Pixels that are `VOID` in the target are taken
    out of both before the bands are: where void begins is then an edge of both maps or of neither,
    and what is predicted inside it changes nothing.
    """
    width = max(1, round(SHARE_OF_DIAGONAL * float(np.hypot(*target.shape))))
    labelled = target != VOID
    counts = np.zeros((3, num_classes), np.int64)
    for index in range(num_classes):
        said = inner_band((predicted == index) & labelled, width)
        true = inner_band(target == index, width)
        counts[:, index] = (said & true).sum(), (said & ~true).sum(), (true & ~said).sum()
    return counts


def inner_band(mask: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """Return the pixels of ``mask`` that lie within ``width`` of its outside.

    Beyond the image is outside, as in the paper's own code, so an object that is cut off has a
    boundary there.
    """
    padded = np.pad(mask.astype(np.uint8), 1)
    inner = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=width)[1:-1, 1:-1]
    band: NDArray[np.bool_] = mask & (inner == 0)
    return band

"""Which pixels were right and how they look: what the viewer in the browser must draw."""

import numpy as np
from numpy.typing import NDArray

from dashboard.theme import FALSE_NEGATIVE, FALSE_POSITIVE, TRUE_POSITIVE
from trainer.data.collection import VOID

Map = NDArray[np.uint8]

NOTHING, TP, FP, FN = 0, 1, 2, 3
COLOURS = {TP: TRUE_POSITIVE, FP: FALSE_POSITIVE, FN: FALSE_NEGATIVE}


def error_codes(predicted: Map, target: Map, class_index: int | None = None) -> Map:
    """Return `TP`, `FP`, `FN` or `NOTHING` for each pixel; all maps are ``(height, width)``.

    With a class, that class against all others. Without one, all foreground classes together: a
    pixel of the right class is TP, one given a wrong foreground class FP, one missed FN. Void
    target pixels count for nothing.
    """
    counted = target != VOID
    if class_index is None:
        positive, right = predicted > 0, predicted == target
        missed = (target > 0) & ~positive
    else:
        positive, right = predicted == class_index, target == class_index
        missed = right & ~positive
    codes = np.full(target.shape, NOTHING, dtype=np.uint8)
    codes[counted & positive & right] = TP
    codes[counted & positive & ~right] = FP
    codes[counted & missed] = FN
    return codes


def paint_errors(image: Map, codes: Map, opacity: float) -> Map:
    """Return ``image (height, width, 3)`` with the coded pixels coloured at ``opacity`` (0–1)."""
    colours = np.zeros((4, 3))
    for code, colour in COLOURS.items():
        colours[code] = colour
    # Half up, as Math.round does, where numpy would round half to even.
    mixed = np.floor((1 - opacity) * image.astype(float) + opacity * colours[codes] + 0.5)
    return np.where((codes != NOTHING)[..., None], mixed.astype(np.uint8), image)

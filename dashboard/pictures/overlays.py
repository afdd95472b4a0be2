"""Predictions compared with their targets: which pixels were right, and how they are coloured.

The viewer in the browser does the same arithmetic (`pictures/viewer.js`), and lays masks over
images as `trainer.data.painting` does; a test holds them together pixel by pixel.
"""

import base64
import io

import numpy as np
from PIL import Image

from dashboard.theme import FALSE_NEGATIVE, FALSE_POSITIVE, TRUE_POSITIVE
from trainer.data.collection import VOID
from trainer.data.painting import Map, blend

NOTHING, TP, FP, FN = 0, 1, 2, 3
ERROR_COLOURS = {TP: TRUE_POSITIVE, FP: FALSE_POSITIVE, FN: FALSE_NEGATIVE}


def error_codes(predicted: Map, target: Map, class_index: int | None = None) -> Map:
    """Return `TP`, `FP`, `FN` or `NOTHING` for each pixel; all maps are ``(height, width)``.

    With a class, that class against all others. Without one, all foreground classes together: a
    pixel of the right class is TP, one given a wrong foreground class FP, one missed FN. Void
    target pixels count for nothing. Raises ``ValueError`` when the shapes differ.
    """
    if predicted.shape != target.shape:
        raise ValueError(f"overlay: prediction {predicted.shape} and target {target.shape} differ")
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
    for code, colour in ERROR_COLOURS.items():
        colours[code] = colour
    return blend(image, colours[codes], codes != NOTHING, opacity)


def encoded(image: Map) -> str:
    """Return an image ``(height, width[, 3])`` as the ``data:`` address of a lossless PNG.

    A map of class indices keeps them as its grey levels.
    """
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, "PNG", compress_level=4)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")

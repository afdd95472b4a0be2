"""Maps and images as the viewer in the browser (`viewer.js`) takes them."""

import base64
import io

import numpy as np
from PIL import Image

from trainer.data.painting import Map


def encoded(image: Map) -> str:
    """Return an image ``(height, width[, 3])`` as the ``data:`` address of a lossless PNG.

    A map of class indices keeps them as its grey levels.
    """
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, "PNG", compress_level=4)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")

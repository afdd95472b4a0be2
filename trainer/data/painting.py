"""Masks as pictures: palette files that show the classes' colours, and overlays."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainer.data.collection import VOID, ClassInfo
from trainer.files import replacing

VOID_COLOUR = (224, 224, 192)
Map = NDArray[np.uint8]
OPACITY = 0.5


def save_mask(mask: Map, path: Path, classes: Sequence[ClassInfo]) -> None:
    """Save a map of class indices as a palette PNG in the classes' colours, all or nothing."""
    image = Image.fromarray(np.ascontiguousarray(mask), mode="P")
    palette = np.zeros((256, 3), np.uint8)
    for index, info in enumerate(classes):
        palette[index] = info.colour
    palette[VOID] = VOID_COLOUR
    image.putpalette(palette.tobytes())
    save_image(image, path)


def save_image(image: Image.Image, path: Path, **options: Any) -> None:
    """Save an image, all of it or nothing."""
    with replacing(path) as partial:
        image.save(partial, **options)


def draw_over(image: np.ndarray, mask: np.ndarray, classes: Sequence[ClassInfo]) -> np.ndarray:
    """Return the image with every class but the first laid over it, half transparent."""
    colours = np.array([info.colour for info in classes], np.float32)[mask]
    shown = (mask > 0)[..., np.newaxis] * OPACITY
    blended = image * (1 - shown) + colours * shown
    return np.asarray(np.rint(blended), np.uint8)

"""An uploaded image, checked before it is decoded; what the browser is sent of a prediction."""

import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dashboard.settings import UPLOAD_MIB
from trainer.data.collection import RGB, ClassInfo, ImageCoding
from trainer.data.files.bands import count_pixels
from trainer.data.files.imagefile import UnreadableFile
from trainer.data.files.reading import read_image
from trainer.data.painting import lay_over, save_mask

Map = NDArray[np.uint8]

MOST_PIXELS = 40_000_000
MOST_LOGITS = 120_000_000
"""Logits are kept at the image's size, one 4-byte number per pixel and class: about 0.5 GB."""
SHOWN_PIXELS = 2_000_000
"""Larger images are reduced for the browser, so that a slider redraws at once."""


def most_pixels(num_classes: int) -> int:
    """Return how many pixels an image may have for a model of so many classes."""
    channels = 1 if num_classes <= 2 else num_classes
    return min(MOST_PIXELS, MOST_LOGITS // channels)


def read_upload(
    name: str, content: bytes, coding: ImageCoding = RGB, *, at_most: int = MOST_PIXELS
) -> Map:
    """Return an uploaded image as ``uint8 (height, width, channels)``.

    Its size is read from its header first. Raises ``ValueError``, naming the file, when it has
    more than ``at_most`` pixels, more than `UPLOAD_MIB`, or cannot be read as an image.
    """
    if len(content) > UPLOAD_MIB * 2**20:
        raise ValueError(
            f"{name}: has {len(content) / 2**20:.0f} MiB; this page takes {UPLOAD_MIB}"
        )
    with tempfile.TemporaryDirectory(prefix="segscope-") as scratch:
        path = Path(scratch) / f"upload{Path(name).suffix[:10]}"
        path.write_bytes(content)
        pixels = count_pixels(path)
        if pixels is not None and pixels > at_most:
            raise ValueError(
                f"{name}: has {pixels / 1e6:.1f} megapixels; this page takes {at_most / 1e6:.1f} "
                "with this model. Reduce it, or use: trainer predict"
            )
        try:
            return read_image(path, coding)
        except UnreadableFile as error:
            raise ValueError(f"{name}: {error.problem}") from error


def grey_levels(probability: NDArray[Any]) -> Map:
    """Return a probability in 0 to 1 as grey levels that a threshold of 0.5 cuts as the model does.

    Level / 255 ≥ 0.5 exactly where the probability is above 0.5: rounded, halves down.
    """
    levels = np.ceil(probability.astype(np.float64) * 255 - 0.5)
    return np.asarray(levels.clip(0, 255), dtype=np.uint8)


def thresholded(levels: Map, threshold: float) -> Map:
    """Return 1 where grey levels reach ``threshold`` (0 to 1), else 0."""
    return (levels >= threshold * 255).astype(np.uint8)


def reduced(picture: Map, at_most: int = SHOWN_PIXELS) -> Map:
    """Return an image or map with at most about so many pixels.

    An image is averaged; of a map ``(height, width)`` single pixels are taken, so that every one
    shown is one of the original's.
    """
    height, width = picture.shape[:2]
    if height * width <= at_most:
        return picture
    scale = (at_most / (height * width)) ** 0.5
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = Image.Resampling.BOX if picture.ndim == 3 else Image.Resampling.NEAREST
    return np.array(Image.fromarray(np.ascontiguousarray(picture)).resize(size, how))


def class_shares(mask: Map, num_classes: int) -> list[tuple[int, float]]:
    """Return each class's pixels in a mask and their share of all."""
    pixels = np.bincount(mask.ravel(), minlength=num_classes)[:num_classes]
    return [(int(count), float(count / max(mask.size, 1))) for count in pixels]


def mask_file(mask: Map, classes: list[ClassInfo]) -> bytes:
    """Return a mask as a palette PNG whose indices are the classes."""
    with tempfile.TemporaryDirectory(prefix="segscope-") as scratch:
        path = Path(scratch) / "mask.png"
        save_mask(mask, path, classes)
        return path.read_bytes()


def overlay_file(image: Map, mask: Map, classes: list[ClassInfo]) -> bytes:
    """Return the image with the mask laid over it, as a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(lay_over(image, mask, classes)).save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()

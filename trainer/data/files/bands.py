"""From an image file to the channels that a network sees, 8 bits each.

A colour image is its three colours, a grey one its one band; one becomes the other. Transparency
is a band only where so many are wanted. Whatever else a file has more or less is its fault.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence, UnidentifiedImageError

from trainer.data.collection import RGB, ImageCoding
from trainer.data.files.arrayfile import (
    IMAGE_NAMES,
    channels_last,
    count_array_pixels,
    is_array,
    read_array,
)
from trainer.data.files.imagefile import (
    DECODER_ERRORS,
    FORMATS,
    MAX_PIXELS,
    Array,
    UnreadableFile,
    check_size,
    decoded,
    named_faults,
    opened,
)
from trainer.data.files.tiff import is_tiff, measure_tiff, read_tiff
from trainer.wording import counted

SAMPLES, BITS = 277, 258
PIECES = 64
TRANSPARENT = {"LA": "L", "RGBA": "RGB"}


def read_channels(path: Path, coding: ImageCoding) -> Array:
    """Return an image as ``uint8 (height, width, coding.channels)``. Raises `UnreadableFile`."""
    stored = _stored(path, coding)
    return _with_channels(_in_bytes(stored, coding.value_range, path), coding.channels, path)


def read_size(path: Path) -> tuple[int, int]:
    """Return height and width of an image, upright, whatever its bands."""
    height, width, _ = _stored(path, RGB).shape
    return height, width


def as_rgb(image: Image.Image, path: Path) -> Array:
    """Return a decoded image as ``uint8 (height, width, 3)``, transparency dropped.

    Transparency is no colour, so the stored colours count, as in most readers of the field.
    Raises `UnreadableFile` for values that fit no scale.
    """
    return _with_channels(_in_bytes(_bands(image, 3), None, path), 3, path)


def count_pixels(path: Path) -> int | None:
    """Return the number of pixels that an image's header tells of; None where it has none."""
    try:
        if is_array(path):
            return count_array_pixels(path, IMAGE_NAMES)
        if is_tiff(path):
            return measure_tiff(path)[0]
        Image.init()
        with Image.open(path, formats=FORMATS) as image:
            return image.width * image.height
    except Image.DecompressionBombError:
        return 2 * MAX_PIXELS + 1  # or more
    except (UnreadableFile, *DECODER_ERRORS):
        return None


def count_images(path: Path, channels: int = 1) -> int:
    """Return how many images a TIFF file holds, from its directory; 1 for anything else.

    A stack whose pages are the ``channels`` of an image is one.
    """
    if path.suffix.lower() not in (".tif", ".tiff"):
        return 1
    try:
        with Image.open(path, formats=("TIFF",)) as image:
            return 1 if _is_stack(image, channels) else int(getattr(image, "n_frames", 1))
    except UnidentifiedImageError:
        return _images_of_tiff(path)
    except DECODER_ERRORS:
        return 1  # what is wrong with the file, decoding it tells


def _images_of_tiff(path: Path) -> int:
    try:
        return measure_tiff(path)[1]
    except UnreadableFile:
        return 1


def _stored(path: Path, coding: ImageCoding) -> NDArray[Any]:
    """Return the bands of a file as they are stored, ``(height, width, bands)``."""
    if is_array(path):
        counts = {3: (1, 3), 1: (1, 3)}.get(coding.channels, (coding.channels,))
        return channels_last(read_array(path, IMAGE_NAMES), counts, path)
    with named_faults(path):
        return _of_image(path, coding)


def _of_image(path: Path, coding: ImageCoding) -> NDArray[Any]:
    try:
        with opened(path) as image:
            if _is_stack(image, coding.channels):
                check_size(path, *image.size, coding.channels)
                pages = [_bands(decoded(page), 1) for page in ImageSequence.Iterator(image)]
                return np.concatenate(pages, axis=2)
            if not _loses(image, coding):
                return _bands(decoded(image), coding.channels)
            if image.format != "TIFF":
                problem = "has 16 bits a colour, of which Pillow reads 8"
                raise UnreadableFile(path, f"{problem}; store it as a TIFF for --value-range")
    except UnidentifiedImageError:
        if not is_tiff(path):
            raise
    return read_tiff(path)


def _is_stack(image: Image.Image, channels: int) -> bool:
    """Say whether a TIFF holds so many pages of one band each, all alike.

    Three are as likely three slices, of which the first counts as of any other stack.
    """
    one_band = image.mode in ("1", "L", "F") or image.mode.startswith("I")
    if not one_band or image.format != "TIFF" or getattr(image, "n_frames", 1) != channels:
        return False
    pages = {(page.size, page.mode) for page in ImageSequence.Iterator(image)}
    image.seek(0)
    return channels not in (1, 3) and len(pages) == 1


def _loses(image: Image.Image, coding: ImageCoding) -> bool:
    """Say whether Pillow drops bands of a TIFF, or bits that the range of values is of."""
    bands, tags = len(image.getbands()), getattr(image, "tag_v2", {})
    deep = max(tags.get(BITS, (1,))) > 8 or ";16" in str(getattr(image, "tile", ""))
    return bands != tags.get(SAMPLES, bands) or (
        coding.value_range is not None and deep and bands > 1
    )


def _bands(image: Image.Image, channels: int) -> NDArray[Any]:
    """Return what a decoded image holds, transparency where it makes up ``channels``."""
    mode = image.mode
    if mode.startswith("I") or mode == "F":
        values = np.array(image)
        if mode == "I" and values.min() >= 0 and values.max() <= 65_535:
            values = values.astype(np.uint16)  # as most files of this mode were meant
        return values[:, :, None]
    if mode in ("RGBa", "PA", "La"):
        image = image.convert("LA" if mode == "La" else "RGBA")
    if image.mode in TRANSPARENT and channels != len(image.getbands()):
        drop = TRANSPARENT[image.mode]
        image = image.getchannel(0) if drop == "L" else image.convert(drop)
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("L", *TRANSPARENT):
        image = image.convert("RGB")
    values = np.array(image)
    return values if values.ndim == 3 else values[:, :, None]


def _in_bytes(stored: NDArray[Any], value_range: tuple[float, float] | None, path: Path) -> Array:
    """Scale values to 0 to 255, the same way for every file; 8 bits stay as they are.

    ``value_range`` becomes 0 to 255, and what lies outside it one of the two.
    """
    if stored.dtype == np.uint8:
        return stored
    if stored.dtype == np.bool_:
        return stored.astype(np.uint8) * np.uint8(255)
    # In pieces: eight bytes a value meanwhile.
    pieces = np.array_split(stored, PIECES)
    if any(np.isnan(piece).any() for piece in pieces):
        raise UnreadableFile(path, "holds values that are not a number; give these pixels one")
    low, high = value_range or _range(stored, path)
    scaled = np.empty(stored.shape, np.uint8)
    for piece, into in zip(pieces, np.array_split(scaled, PIECES), strict=True):
        values = piece.astype(np.float64).clip(low, high) - low
        into[:] = np.rint(values * (255.0 / (high - low)))
    return scaled


def _range(stored: NDArray[Any], path: Path) -> tuple[float, float]:
    """Return the range that values of a type have without being told."""
    if stored.dtype.kind == "u" and stored.dtype.itemsize == 2:
        return 0, 65_535
    low, high = float(stored.min()), float(stored.max())
    if stored.dtype.kind == "f" and low >= 0 and high <= 255:
        return 0, (1 if high <= 1 else 255)
    problem = f"holds {stored.dtype} values from {low:g} to {high:g}"
    cure = "give the values of black and white with --value-range LOW HIGH"
    raise UnreadableFile(path, f"{problem}; {cure}, or store it with 8 or 16 bits")


def _with_channels(bands: Array, channels: int, path: Path) -> Array:
    have = bands.shape[2]
    if have == channels:
        return bands
    if have == 1 and channels == 3:
        return np.repeat(bands, 3, axis=2)
    if have == 3 and channels == 1:
        return np.array(Image.fromarray(np.ascontiguousarray(bands)).convert("L"))[:, :, None]
    problem = f"has {counted(have, 'band')}, where the network sees {channels}"
    raise UnreadableFile(path, f"{problem}; --channels {have} is for images of {have}")

"""From a file to an array, with the file's fault named.

An image becomes RGB whatever it was stored as. A mask is never scaled or smoothed: its stored
values (palette indices, grey levels) or its colours are looked up one by one. Orientation flags
(EXIF) are applied to both, so that an image and the mask drawn on it stay together.
"""

import stat
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from trainer.data.collection import VOID, Colour, MaskCoding, Pair

Array = NDArray[np.uint8]

# An image above this is refused before it is decoded: 7680 x 11651, about 0.27 GB as RGB.
MAX_PIXELS = 89_478_485

# Only decoders that run inside this process: no PostScript, no external program.
FORMATS = ("PNG", "JPEG", "GIF", "TIFF", "BMP", "DIB", "WEBP", "PPM", "JPEG2000", "TGA")

# What Pillow's decoders raise on files that are cut off or have bytes changed.
DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    EOFError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


class UnreadableFile(ValueError):  # noqa: N818
    """A file that cannot be used, with its ``path`` and the ``problem`` in a user's words."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


def read_image(path: Path) -> Array:
    """Return an image as ``uint8 (height, width, 3)`` RGB.

    Grey and palette images become RGB; 16-bit values 0 to 65,535 are scaled to 0 to 255;
    transparency is dropped and CMYK converted. Of an animation or a stack the first image
    counts. Raises `UnreadableFile`.
    """
    return _as_rgb(_decoded(path), path)


def read_mask(path: Path, coding: MaskCoding, valid: Path | None = None) -> Array:
    """Return a mask as ``uint8 (height, width)`` class indices with `VOID`.

    Where the file ``valid`` is 0 the result is `VOID`. Raises `UnreadableFile`, also for a
    stored value that ``coding`` does not list.
    """
    target = _coded(read_stored(path, colours=coding.colours is not None), coding, path)
    if valid is not None:
        seen = _valid(valid)
        if seen.shape != target.shape:
            raise UnreadableFile(valid, f"is {size(seen)}, but its mask is {size(target)}")
        target[~seen] = VOID
    return target


def read_target(pair: Pair, coding: MaskCoding) -> Array:
    """Return the target of a pair, all its mask files laid over each other.

    Raises `UnreadableFile`, also when two masks of the pair differ in size.
    """
    target = read_mask(pair.mask, coding, None if pair.more_masks else pair.valid)
    for number, path in enumerate(pair.more_masks, start=2):
        layer = read_mask(path, coding)
        if layer.shape != target.shape:
            raise UnreadableFile(path, f"is {size(layer)}, but {pair.mask.name} is {size(target)}")
        seen = (layer != 0) & (layer != VOID)
        target[seen] = number if coding.layered else layer[seen]
    if pair.more_masks and pair.valid is not None:
        seen = _valid(pair.valid)
        if seen.shape != target.shape:
            raise UnreadableFile(pair.valid, f"is {size(seen)}, but its mask is {size(target)}")
        target[~seen] = VOID
    return target


def read_pair(pair: Pair, coding: MaskCoding) -> tuple[Array, Array]:
    """Return image ``uint8 (height, width, 3)`` and target ``uint8 (height, width)`` of a pair.

    Raises `UnreadableFile`, also when the two differ in size.
    """
    image, target = read_image(pair.image), read_target(pair, coding)
    if image.shape[:2] != target.shape:
        raise UnreadableFile(pair.mask, size_mismatch(image, target))
    return image, target


def size_mismatch(image: Array, target: Array) -> str:
    """Say in a user's words that an image and its mask differ in size."""
    turned = ""
    if image.shape[1::-1] == target.shape:
        turned = "; one of them may have an orientation flag (EXIF) that the other lacks"
    return f"size mismatch: the mask is {size(target)}, its image {size(image)}{turned}"


def size(array: NDArray[Any]) -> str:
    """Return "width x height" of an array of pixels."""
    return f"{array.shape[1]} x {array.shape[0]}"


def read_stored(path: Path, *, colours: bool = False) -> NDArray[Any]:
    """Return the values of a mask as the file stores them.

    The result is ``(height, width)`` integers (palette indices, grey levels), or
    ``uint8 (height, width, 3)`` where the file has colours; with ``colours`` always the latter,
    palettes looked up. Raises `UnreadableFile`.
    """
    image = _decoded(path)
    if colours:
        return _as_rgb(image, path)
    if image.mode in ("L", "P"):
        return np.array(image)
    if image.mode == "1":
        return np.array(image).astype(np.uint8)
    if image.mode in ("LA", "La", "PA"):
        return np.array(image.getchannel(0))
    if image.mode.startswith("I"):
        return np.array(image).astype(np.int64)
    if image.mode == "F":
        values = np.array(image)
        if not np.array_equal(values, np.rint(values)):
            raise UnreadableFile(path, "holds fractions, which are no labels")
        return values.astype(np.int64)
    return _as_rgb(image, path)


def _decoded(path: Path) -> Image.Image:
    """Open and decode one file, upright; every failure becomes an `UnreadableFile`."""
    Image.init()  # `formats` must all be registered, which plain `open` leaves for later
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableFile(path, "is not a file")
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                problem = f"has {width} x {height} pixels; at most {MAX_PIXELS:,} are decoded"
                raise UnreadableFile(path, problem)
            ImageOps.exif_transpose(image, in_place=True)
            image.load()
            return image
    except UnreadableFile:
        raise
    except FileNotFoundError as error:
        raise UnreadableFile(path, "does not exist") from error
    except DECODER_ERRORS as error:
        raise UnreadableFile(path, _in_words(error, path)) from error


def _in_words(error: Exception, path: Path) -> str:
    if isinstance(error, UnidentifiedImageError):
        empty = path.stat().st_size == 0
        return "is empty" if empty else "is not an image, or its beginning is damaged"
    if isinstance(error, Image.DecompressionBombError):
        return f"has far too many pixels; at most {MAX_PIXELS:,} are decoded"
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"truncated or damaged: {reason}"


def _as_rgb(image: Image.Image, path: Path) -> Array:
    if image.mode == "RGB":
        return np.array(image)
    if image.mode.startswith("I") or image.mode == "F":
        grey = _scaled(np.array(image), image, path)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode == "RGBa":
        image = image.convert("RGBA")
    elif image.mode in ("La", "LA"):
        image = image.convert("LA").getchannel(0)
    elif image.mode == "PA":
        image = image.convert("RGBA")
    return np.array(image.convert("RGB"))


def _scaled(values: NDArray[Any], image: Image.Image, path: Path) -> Array:
    """Scale 16-bit, 32-bit or floating-point grey to 0 to 255, the same way for every file."""
    low, high = float(values.min()), float(values.max())
    if image.mode == "F" and low >= 0 and high <= 1:
        scale = 255.0
    elif image.mode == "F" and low >= 0 and high <= 255:
        scale = 1.0
    elif low >= 0 and high <= 65_535:
        scale = 255.0 / 65_535
    else:
        problem = f"holds values from {low:g} to {high:g}; store it with 8 or 16 bits"
        raise UnreadableFile(path, problem)
    return np.rint(values.astype(np.float64) * scale).astype(np.uint8)


def _valid(path: Path) -> NDArray[np.bool_]:
    return np.asarray(_as_rgb(_decoded(path), path).any(axis=2))


def _coded(stored: NDArray[Any], coding: MaskCoding, path: Path) -> Array:
    if coding.colours is not None:
        return _from_colours(stored, coding.colours, coding.nearest, path)
    if stored.ndim == 3:
        stored = _one_channel(stored, exact=coding.threshold is None, path=path)
    if coding.threshold is not None:
        above: Array = (stored > coding.threshold).astype(np.uint8)
        return above
    assert coding.values is not None
    return _from_values(stored, coding.values, path)


def _one_channel(stored: Array, *, exact: bool, path: Path) -> Array:
    first = stored[:, :, 0]
    if exact and not (
        np.array_equal(first, stored[:, :, 1]) and np.array_equal(first, stored[:, :, 2])
    ):
        raise UnreadableFile(path, "unexpected label value: colours, where grey levels are labels")
    return first


def _from_values(stored: NDArray[Any], values: dict[int, int], path: Path) -> Array:
    if stored.dtype == np.uint8:
        table = np.full(256, -1, dtype=np.int16)
        for value, index in values.items():
            if 0 <= value < 256:
                table[value] = index
        target = table[stored]
    else:
        keys = np.array(sorted(values), dtype=np.int64)
        indices = np.array([values[int(key)] for key in keys], dtype=np.int16)
        place = np.searchsorted(keys, stored).clip(max=len(keys) - 1)
        target = np.where(keys[place] == stored, indices[place], np.int16(-1))
    if target.min(initial=0) < 0:
        strange = stored[target < 0]
        raise UnreadableFile(path, _unexpected(np.unique(strange).tolist(), strange.size))
    return target.astype(np.uint8)


def _from_colours(stored: Array, colours: dict[Colour, int], nearest: bool, path: Path) -> Array:
    packed = _packed(stored)
    listed = np.array(sorted(colours), dtype=np.int64)
    indices = np.array([colours[(int(r), int(g), int(b))] for r, g, b in listed], dtype=np.int16)
    keys = _packed(listed)
    place = np.searchsorted(keys, packed).clip(max=len(keys) - 1)
    target = np.where(keys[place] == packed, indices[place], np.int16(-1))
    strange = target < 0
    if strange.any():
        found, inverse = np.unique(packed[strange], return_inverse=True)
        unlisted = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1)
        if not nearest:
            names = ["#{:02x}{:02x}{:02x}".format(*colour) for colour in unlisted.tolist()]
            raise UnreadableFile(path, _unexpected(names, int(strange.sum())))
        distance = ((unlisted[:, None, :] - listed[None, :, :]) ** 2).sum(axis=2)
        target[strange] = indices[distance.argmin(axis=1)][inverse]
    return target.astype(np.uint8)


def _packed(colours: NDArray[Any]) -> NDArray[np.int64]:
    wide = colours.astype(np.int64)
    packed: NDArray[np.int64] = wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
    return packed


def _unexpected(values: list[Any], pixels: int) -> str:
    shown = ", ".join(str(value) for value in values[:5])
    more = f" and {len(values) - 5} more" if len(values) > 5 else ""
    return f"unexpected label value: {shown}{more} in {pixels:,} pixels, which no class has"

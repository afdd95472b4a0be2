"""Decode one image file with Pillow: whole, upright, or with its fault named."""

import stat
import struct
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from trainer.data.collection import Colour

Array = NDArray[np.uint8]

# An image above this is refused before it is decoded: 7680 x 11651, about 0.27 GB as RGB.
MAX_PIXELS = 89_478_485

# Channels of a grey JPEG differ by rounding alone.
GREY_IN_JPEG = 16
# Values this close to 0 or 255 are those two, seen through smoothing or lossy compression.
NEAR = 40
# How far, in pixels, smoothing carries a value from either side of an edge.
SEAM = 8
# A mask with more colours than this was smoothed or compressed with loss.
MANY_COLOURS = 1024

# Only decoders that run inside this process: no PostScript, no external program.
FORMATS = ("PNG", "JPEG", "GIF", "TIFF", "BMP", "DIB", "WEBP", "PPM", "JPEG2000", "TGA", "AVIF")

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


class UnreadableFile(ValueError):
    """A file that cannot be used, with its ``path`` and the ``problem`` in a user's words."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


def decode(path: Path) -> Image.Image:
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
    except PermissionError as error:
        raise UnreadableFile(path, "may not be read: permission denied") from error
    except DECODER_ERRORS as error:
        raise UnreadableFile(path, _in_words(error, path)) from error


def count_images(path: Path) -> int:
    """Return how many images a TIFF file holds, from its directory; 1 for anything else."""
    if path.suffix.lower() not in (".tif", ".tiff"):
        return 1
    try:
        with Image.open(path, formats=("TIFF",)) as image:
            return int(getattr(image, "n_frames", 1))
    except DECODER_ERRORS:
        return 1  # what is wrong with the file, decoding it tells


def _in_words(error: Exception, path: Path) -> str:
    if isinstance(error, UnidentifiedImageError):
        if path.stat().st_size == 0:
            return "is empty"
        return _not_read(path) or "is not an image, or its beginning is damaged"
    if isinstance(error, Image.DecompressionBombError):
        return f"has far too many pixels; at most {MAX_PIXELS:,} are decoded"
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"truncated or damaged: {reason}"


def _not_read(path: Path) -> str | None:
    """Return what a sound TIFF file is that this program does not read; None for any other."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    kinds = {1: "whole numbers", 2: "signed whole numbers", 3: "floating point"}
    try:
        with path.open("rb") as file:
            directory = ImageFileDirectory_v2(file.read(8))
            file.seek(directory.next)
            directory.load(file)
        bits = max(directory.get(258, (1,)))
        bands, kind = directory.get(277, 1), max(directory.get(339, (1,)))
        width, height = directory[256], directory[257]
    except DECODER_ERRORS:
        return None
    return (
        f"is a sound TIFF of {width} x {height} pixels with {bands} band"
        f"{'' if bands == 1 else 's'} of {bits}-bit {kinds.get(kind, 'values')}, which is not "
        "read; store it with 8 bits and at most 4 bands"
    )


def as_rgb(image: Image.Image, path: Path) -> Array:
    """Return a decoded image as ``uint8 (height, width, 3)``, transparency dropped.

    Transparency is no colour, so the stored colours count, as in most readers of the field.
    Raises `UnreadableFile` for 32-bit values that fit no scale.
    """
    if image.mode == "RGB":
        return np.array(image)
    if image.mode.startswith("I") or image.mode == "F":
        grey = _scaled(np.array(image), image, path)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode in ("RGBa", "PA"):
        image = image.convert("RGBA")
    elif image.mode in ("La", "LA"):
        image = image.convert("LA").getchannel(0)
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


def stored_values(image: Image.Image, path: Path) -> NDArray[Any]:
    """Return palette indices or grey levels ``(height, width)``, else colours as `as_rgb` does.

    White of a 1-bit image is 255. Raises `UnreadableFile` for fractions.
    """
    if image.mode in ("L", "P"):
        return np.array(image)
    if image.mode == "1":
        return np.array(image.convert("L"))
    if image.mode in ("LA", "La", "PA"):
        return np.array(image.getchannel(0))
    if image.mode.startswith("I"):
        return np.array(image).astype(np.int64)
    if image.mode == "F":
        values = np.array(image)
        if not np.array_equal(values, np.rint(values)):
            raise UnreadableFile(path, "holds fractions, which are no labels")
        return values.astype(np.int64)
    return as_rgb(image, path)


def packed_colours(colours: NDArray[Any]) -> NDArray[np.int64]:
    """Return each RGB colour of the last axis as one number, red the highest byte."""
    wide = colours.astype(np.int64)
    whole: NDArray[np.int64] = wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
    return whole


@dataclass(frozen=True, kw_only=True)
class StoredMask:
    """What a mask file stores, before anything is decided about its meaning.

    ``values`` counts the stored values of a single channel (palette indices, grey levels);
    ``colours`` counts colours, a palette's looked up; ``palette`` gives the colours of the
    indices in use. ``coloured`` says that the file has colours and no palette, ``lossy`` that it
    went through JPEG or has so many colours that smoothing must have made them. ``on_seams``
    counts, of grey levels other than 0 and 255, the pixels that lie where dark meets bright, and
    ``transparent`` says that pixels differ in their transparency.
    """

    values: dict[int, int]
    colours: dict[Colour, int]
    palette: dict[int, Colour] | None
    coloured: bool
    lossy: bool
    on_seams: dict[int, int] = field(default_factory=dict)
    transparent: bool = False


def look_at_mask(path: Path) -> StoredMask:
    """Return what a mask file stores. Raises `UnreadableFile`."""
    image = decode(path)
    found = _stored(image, path, lossy=image.format in ("JPEG", "MPO"))
    if not found.coloured and len(found.values) == 1 and "A" in image.getbands():
        low, high = image.getchannel("A").getextrema()
        return replace(found, transparent=low != high)
    return found


def _stored(image: Image.Image, path: Path, *, lossy: bool) -> StoredMask:
    if image.mode in ("LA", "La", "PA"):
        image = image.getchannel(0)
    if image.mode == "P":
        return _in_palette(image)
    if image.mode in ("L", "1"):
        grey = image.convert("L")
        values = {v: n for v, n in enumerate(grey.histogram()) if n}
        return replace(_grey(values, lossy), on_seams=_on_seams(grey, values))
    if image.mode.startswith("I") or image.mode == "F":
        found, counts = np.unique(stored_values(image, path), return_counts=True)
        return _grey(dict(zip(found.tolist(), counts.tolist(), strict=True)), lossy)
    return _in_colours(Image.fromarray(as_rgb(image, path)), lossy)


def _in_palette(image: Image.Image) -> StoredMask:
    values = {place: n for place, n in enumerate(image.histogram()) if n}
    flat = image.getpalette("RGB") or []
    palette = {v: _triple(flat[3 * v : 3 * v + 3]) for v in values}
    colours: Counter[Colour] = Counter()
    for value, n in values.items():
        colours[palette[value]] += n
    return StoredMask(
        values=values, colours=dict(colours), palette=palette, coloured=False, lossy=False
    )


def _grey(values: dict[int, int], lossy: bool) -> StoredMask:
    colours = {(v, v, v): n for v, n in values.items() if 0 <= v <= 255}
    return StoredMask(values=values, colours=colours, palette=None, coloured=False, lossy=lossy)


def _in_colours(image: Image.Image, lossy: bool) -> StoredMask:
    few = image.getcolors(MANY_COLOURS)
    if few is not None:
        colours = {_triple(list(colour)): n for n, colour in few if isinstance(colour, tuple)}
    else:
        lossy = True
        found, counts = np.unique(packed_colours(np.asarray(image)), return_counts=True)
        keep = np.argsort(-counts, kind="stable")[:MANY_COLOURS]
        colours = {
            (packed >> 16, packed >> 8 & 255, packed & 255): n
            for packed, n in zip(found[keep].tolist(), counts[keep].tolist(), strict=True)
        }
    if max(max(colour) - min(colour) for colour in colours) > (GREY_IN_JPEG if lossy else 0):
        return StoredMask(values={}, colours=colours, palette=None, coloured=True, lossy=lossy)
    levels: Counter[int] = Counter()
    for colour, n in colours.items():
        levels[colour[0]] += n
    seams = _on_seams(image.getchannel(0), levels)
    return replace(_grey(dict(levels), lossy), on_seams=seams)


def _on_seams(grey: Image.Image, values: Mapping[int, int]) -> dict[int, int]:
    """Return how many pixels of each level but 0 and 255 lie where dark meets bright.

    A level in the middle must see both ends nearby; one near an end something darker and
    something brighter than itself, as the ringing of compression does.
    """
    if max(values) < 255 - NEAR or min(values) > NEAR or set(values) <= {0, 255}:
        return {}
    from scipy.ndimage import maximum_filter, minimum_filter

    levels = np.asarray(grey)
    darkest = minimum_filter(levels, 2 * SEAM + 1)
    brightest = maximum_filter(levels, 2 * SEAM + 1)
    middle = (levels > NEAR) & (levels < 255 - NEAR)
    both_ends = (darkest <= NEAR) & (brightest >= 255 - NEAR)
    between = (darkest < levels) & (levels < brightest)
    found, counts = np.unique(levels[np.where(middle, both_ends, between)], return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _triple(channels: list[int]) -> Colour:
    return (channels[0], channels[1], channels[2]) if len(channels) == 3 else (0, 0, 0)

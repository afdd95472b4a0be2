"""Open one image file with Pillow: whole, upright, or with its fault named."""

import logging
import lzma
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

Array = NDArray[np.uint8]

# An image above this is refused before it is decoded: 7680 x 11651, about 0.27 GB as RGB.
MAX_PIXELS = 89_478_485
# Three bands of so many pixels at 16 bits.
MAX_BYTES = 6 * MAX_PIXELS
ORIENTATION = 274

# Only decoders that run inside this process: no PostScript, no external program.
FORMATS = ("PNG", "JPEG", "GIF", "TIFF", "BMP", "DIB", "WEBP", "PPM", "JPEG2000", "TGA", "AVIF")

# What decoders raise on files that are cut off or have bytes changed.
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
    lzma.LZMAError,
    BadZipFile,
    TokenError,
    Image.DecompressionBombError,
)


class UnreadableFile(ValueError):
    """A file that cannot be used, with its ``path`` and the ``problem`` in a user's words."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


@contextmanager
def named_faults(path: Path) -> Iterator[None]:
    """Make every failure to decode the file an `UnreadableFile`; what is no file is one too."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableFile(path, "is not a file")
        yield
    except UnreadableFile:
        raise
    except FileNotFoundError as error:
        raise UnreadableFile(path, "does not exist") from error
    except PermissionError as error:
        raise UnreadableFile(path, "may not be read: permission denied") from error
    except DECODER_ERRORS as error:
        raise UnreadableFile(path, _in_words(error, path)) from error


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open an image, not decoded yet; `UnreadableFile` when it has too many pixels."""
    # The error tells it.
    logging.getLogger("PIL.TiffImagePlugin").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module=r"PIL\.TiffImagePlugin")
    Image.init()  # `formats` must all be registered, which plain `open` leaves for later
    with Image.open(path, formats=FORMATS) as image:
        check_size(path, *image.size)
        yield image


def decoded(image: Image.Image) -> Image.Image:
    """Decode an opened image and turn it upright."""
    lies = getattr(image, "tag_v2", {}).get(ORIENTATION, 1) > 4
    if lies and all(tile[0] == "raw" for tile in getattr(image, "tile", ())):
        # Pillow has turned the size already, and would cut uncompressed lines by the wrong one.
        image._size = image.size[::-1]
    ImageOps.exif_transpose(image, in_place=True)
    image.load()
    return image


def check_size(path: Path, width: int, height: int, bands: int = 1, itemsize: int = 1) -> None:
    """Raise `UnreadableFile` for more pixels, values in all bands, or bytes, than are decoded.

    ``itemsize`` is the bytes of a value.
    """
    if width * height > MAX_PIXELS:
        problem = f"has {width} x {height} pixels; at most {MAX_PIXELS:,} are decoded"
        raise UnreadableFile(path, problem)
    if width * height * bands > 3 * MAX_PIXELS:
        problem = f"has {width} x {height} pixels of {bands} bands; at most {3 * MAX_PIXELS:,} "
        raise UnreadableFile(path, f"{problem}values are decoded")
    if width * height * bands * itemsize > MAX_BYTES:
        problem = f"has {width} x {height} x {bands} values of {8 * itemsize} bits"
        raise UnreadableFile(path, f"{problem}; at most {MAX_BYTES:,} bytes are decoded")


def _in_words(error: Exception, path: Path) -> str:
    if isinstance(error, UnidentifiedImageError):
        if path.stat().st_size == 0:
            return "is empty"
        return "is not an image, or its beginning is damaged"
    if isinstance(error, Image.DecompressionBombError):
        return f"has far too many pixels; at most {MAX_PIXELS:,} are decoded"
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"truncated or damaged: {reason}"

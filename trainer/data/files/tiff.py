"""Read the TIFF files that Pillow does not: many bands, or many bits in several, by tifffile."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.data.files.imagefile import ORIENTATION, UnreadableFile, check_size, named_faults
from trainer.extras import needed

# The first bytes of both kinds, small and large, in both orders of bytes.
BEGINNINGS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def is_tiff(path: Path) -> bool:
    """Say whether a file begins as a TIFF does."""
    with path.open("rb") as file:
        return file.read(4) in BEGINNINGS


def read_tiff(path: Path) -> NDArray[Any]:
    """Return the first image of a TIFF upright, ``(height, width, bands)``, as it is stored.

    Raises `UnreadableFile`, before anything is decoded where it is too large.
    """
    with _first_page(path) as page:
        values = page.asarray(maxworkers=1)
        if (
            not values.size
            or values.size != page.imagewidth * page.imagelength * page.samplesperpixel
        ):
            raise UnreadableFile(path, "truncated or damaged: pixels are missing")
        turn = page.tags.valueof(ORIENTATION, 1)
    if values.ndim == 2:
        values = values[:, :, None]
    elif page.axes == "SYX":
        values = np.moveaxis(values, 0, 2)
    return _upright(values, turn)


def measure_tiff(path: Path) -> tuple[int, int]:
    """Return the pixels of the first image and how many there are; raises `UnreadableFile`."""
    with _first_page(path) as page:
        return int(page.imagelength * page.imagewidth), len(page.parent.pages)


@contextmanager
def _first_page(path: Path) -> Iterator[Any]:
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # the error tells it
    with named_faults(path):
        try:
            with tifffile.TiffFile(path) as file:
                page = file.pages.first
                # A damaged directory may have texts in place of numbers.
                sides = int(page.imagewidth), int(page.imagelength)
                itemsize = 1 if page.dtype is None else page.dtype.itemsize
                check_size(path, *sides, int(page.samplesperpixel), itemsize)
                if page.dtype is None or page.axes not in ("YX", "YXS", "SYX"):
                    problem = f"is a sound TIFF of {page.bitspersample}-bit values"
                    raise UnreadableFile(path, f"{problem} that is not read; store it with 8 or 16")
                yield page
        except tifffile.TiffFileError as error:
            raise ValueError(str(error)) from error
        except ValueError as error:
            if "imagecodecs" in str(error):
                name = getattr(page.compression, "name", page.compression)
                problem = f"is a TIFF with {name} compression, and {needed('imagecodecs')}"
                raise UnreadableFile(path, problem) from error
            raise


def _upright(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn an image as its orientation flag (1 to 8) says, which Pillow does for all others."""
    if orientation in (5, 6, 7, 8):
        values = values.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return np.ascontiguousarray(values)

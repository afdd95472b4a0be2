"""Read arrays of numpy, ``.npy`` and ``.npz``: measured by their header, never unpickled."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any
from zipfile import ZipFile

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from trainer.data.files.imagefile import UnreadableFile, check_size, named_faults

# What an archive of several arrays calls the one that is meant.
IMAGE_NAMES, MASK_NAMES = ("image",), ("mask", "label")

Open = Callable[[], IO[bytes]]
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def is_array(path: Path) -> bool:
    """Say whether a file's name is that of an array."""
    return path.suffix.lower() in (".npy", ".npz")


def read_array(path: Path, names: Collection[str]) -> NDArray[Any]:
    """Return the array of a file: numbers, of two or three axes.

    Of an archive of several it is the one that ``names`` has, or ``arr_0``. Raises
    `UnreadableFile`, before anything is read where the array is too large or holds no numbers.
    """
    with _array(path, names) as opened:
        _measured(opened, path)
        with opened() as file:
            array: NDArray[Any] = npy.read_array(file, allow_pickle=False)
    return array


def count_array_pixels(path: Path, names: Collection[str]) -> int:
    """Return the pixels of the array that `read_array` reads, from its header."""
    with _array(path, names) as opened:
        return _measured(opened, path)


def channels_last(array: NDArray[Any], counts: Collection[int], path: Path) -> NDArray[Any]:
    """Return an array as ``(height, width, channels)``, where ``counts`` channels may be.

    A third axis is that of the channels where it alone has one of these lengths, at the end or at
    the beginning; where neither has, it is the shorter of the two. Raises `UnreadableFile` where
    both have.
    """
    if array.ndim == 2:
        return array[:, :, None]
    first, last = array.shape[0] in counts, array.shape[2] in counts
    if first and last:
        problem = (
            f"has shape {array.shape}, whose channels may come first or last; store it as a TIFF"
        )
        raise UnreadableFile(path, problem)
    if not first and not last:
        first = array.shape[0] < array.shape[2]
    return np.moveaxis(array, 0, 2) if first else array


@contextmanager
def _array(path: Path, names: Collection[str]) -> Iterator[Open]:
    """Give what opens an array: the file, or the member of an archive that is meant."""
    with named_faults(path):
        if path.suffix.lower() == ".npy":
            yield lambda: path.open("rb")
            return
        with ZipFile(path) as archive:
            yield partial(archive.open, _chosen(archive, names, path))


def _chosen(archive: ZipFile, names: Collection[str], path: Path) -> str:
    members = {name.removesuffix(".npy"): name for name in archive.namelist()}
    meant = [name for name in members if name in names or name.startswith("arr_")]
    if len(members) == 1:
        meant = list(members)
    if len(meant) != 1 or (len(members) > 1 and meant[0].startswith("arr_") and meant != ["arr_0"]):
        listed = ", ".join(members) or "none"
        wanted = " or ".join(names)
        raise UnreadableFile(path, f"holds the arrays {listed}; name one of them {wanted}")
    return members[meant[0]]


def _measured(opened: Open, path: Path) -> int:
    """Return the pixels that an array's header tells of; `UnreadableFile` where it is no image."""
    with opened() as file:
        version = npy.read_magic(file)
        if version not in HEADERS:
            raise UnreadableFile(path, "holds named fields, which are no pixels")
        shape, _, dtype = HEADERS[version](file)
    if dtype.hasobject:
        raise UnreadableFile(path, "holds Python objects, which are never read; store numbers")
    if dtype.kind not in "biuf":
        raise UnreadableFile(path, f"holds {dtype} values, which are no pixels; store numbers")
    if len(shape) not in (2, 3) or 0 in shape:
        wanted = "(height, width) or (height, width, channels), one image a file"
        raise UnreadableFile(path, f"has shape {shape}, where an image is {wanted}")
    # Whichever end holds the channels, it is hardly ever the longer one.
    height, width, bands = shape if len(shape) == 3 else (*shape, 1)
    if height < bands:
        height, width, bands = width, bands, height
    check_size(path, width, height, bands, dtype.itemsize)
    return int(height * width)

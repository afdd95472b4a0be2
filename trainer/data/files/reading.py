"""From a file to an array, with the file's fault named.

An image becomes as many channels as are wanted, whatever it was stored as. A mask is never scaled
or smoothed: its stored values (palette indices, grey levels, labels) or its colours are looked up
one by one. Orientation flags (EXIF) are applied to both, so that an image and the mask drawn on it
stay together.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainer.data.collection import RGB, VOID, Colour, ImageCoding, MaskCoding, Pair
from trainer.data.files.annotations import read_drawing
from trainer.data.files.bands import as_rgb, read_channels
from trainer.data.files.imagefile import Array, UnreadableFile
from trainer.data.files.maskfile import PIECES, decode, packed_colours, stored_values


def read_image(path: Path, coding: ImageCoding = RGB) -> Array:
    """Return an image as ``uint8 (height, width, coding.channels)``, RGB where these are 3.

    Grey and palette images become RGB, and RGB grey; 16-bit values 0 to 65,535 are scaled to 0 to
    255; transparency is dropped, but for two and four channels, and CMYK converted. Of an
    animation or a stack the first image counts, unless it has as many as there are channels.
    Raises `UnreadableFile`, also for an image of another number of bands.
    """
    return read_channels(path, coding)


def read_mask(path: Path, coding: MaskCoding, valid: Path | None = None) -> Array:
    """Return a mask as ``uint8 (height, width)`` class indices with `VOID`.

    Where the file ``valid`` is 0 the result is `VOID`. Raises `UnreadableFile`, also for a
    stored value that ``coding`` does not list.
    """
    target = _coded(decode(path), coding, path)
    if valid is not None:
        seen = _valid(valid)
        if seen.shape != target.shape:
            raise UnreadableFile(valid, f"is {size(seen)}, but its mask is {size(target)}")
        target[~seen] = VOID
    return target


def read_target(pair: Pair, coding: MaskCoding) -> Array:
    """Return the target of a pair, all its mask files laid over each other, or drawn from JSON.

    Raises `UnreadableFile`, also when two masks of the pair differ in size.
    """
    if coding.labels is not None:
        return read_drawing(pair, coding.labels)
    target = read_mask(pair.mask, coding, None if pair.more_masks else pair.valid)
    first, *others = pair.layers or range(1, len(pair.more_masks) + 2)
    if coding.layered and first != 1:
        target[target == 1] = first
    for number, path in zip(others, pair.more_masks, strict=True):
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


def read_pair(
    pair: Pair, coding: MaskCoding, image_coding: ImageCoding = RGB
) -> tuple[Array, Array]:
    """Return image ``uint8 (height, width, channels)`` and target ``uint8 (height, width)``.

    Raises `UnreadableFile`, also when the two differ in size.
    """
    image = read_image(pair.image, image_coding)
    if pair.whole is not None:
        return image, np.full(image.shape[:2], pair.whole, np.uint8)
    target = read_target(pair, coding)
    if image.shape[:2] != target.shape:
        raise UnreadableFile(pair.blamed, size_mismatch(image, target))
    return image, target


def content_hash(image: Array) -> str:
    """Return a hash of an image's shape and pixels, equal for equal images in whatever files."""
    digest = hashlib.sha256(f"{image.shape}".encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()[:32]


def count_labels(target: Array, num_classes: int) -> NDArray[np.int64]:
    """Return the pixels of each class in a target, and those of void last."""
    # Pillow counts 256 values three times faster than a bincount, which widens them first.
    found = np.array(Image.fromarray(target).histogram(), dtype=np.int64)
    return np.append(found[:num_classes], found[VOID])


def size_mismatch(image: Array, target: Array) -> str:
    """Say in a user's words that an image and its mask differ in size."""
    turned = ""
    if image.shape[1::-1] == target.shape:
        turned = "; one of them may have an orientation flag (EXIF) that the other lacks"
    return f"size mismatch: the mask is {size(target)}, its image {size(image)}{turned}"


def size(array: NDArray[Any]) -> str:
    """Return "width x height" of an array of pixels."""
    return f"{array.shape[1]} x {array.shape[0]}"


def _valid(path: Path) -> NDArray[np.bool_]:
    return np.asarray(as_rgb(decode(path), path).any(axis=2))


def _coded(image: Image.Image, coding: MaskCoding, path: Path) -> Array:
    if coding.colours is not None:
        return _from_colours(as_rgb(image, path), coding.colours, coding.nearest, path)
    if coding.threshold is not None and image.mode == "P":
        image = image.convert("L")  # a threshold means brightness, which indices are not
    stored = stored_values(image, path)
    if stored.ndim == 3:
        exact = coding.threshold is None and not coding.nearest
        stored = _one_channel(stored, exact=exact, path=path)
    if coding.threshold is not None:
        above: Array = (stored > coding.threshold).astype(np.uint8)
        return above
    assert coding.values is not None
    if coding.nearest:
        return _from_nearest(stored, coding.values)
    return _from_values(stored, coding.values, path)


def _one_channel(stored: Array, *, exact: bool, path: Path) -> Array:
    first = stored[:, :, 0]
    if exact and not (
        np.array_equal(first, stored[:, :, 1]) and np.array_equal(first, stored[:, :, 2])
    ):
        raise UnreadableFile(path, "unexpected label value: colours, where grey levels are labels")
    return first


def _from_values(stored: NDArray[Any], values: dict[int, int], path: Path) -> Array:
    keys = np.array(sorted(values), dtype=np.int64)
    indices = np.array([values[int(key)] for key in keys], dtype=np.int16)
    target = _looked_up(stored, keys, indices)
    if target.min(initial=0) < 0:
        different, pixels = _unlisted(stored, target)
        raise UnreadableFile(path, _unexpected(different, pixels))
    return target.astype(np.uint8)


def _looked_up(
    stored: NDArray[Any], keys: NDArray[np.int64], indices: NDArray[np.int16]
) -> NDArray[np.int16]:
    """Return the index of each stored value among the sorted keys, -1 of one that is none."""
    if stored.dtype == np.uint8 and stored.ndim == 2:
        table = np.full(256, -1, dtype=np.int16)
        fit = (keys >= 0) & (keys < 256)
        table[keys[fit]] = indices[fit]
        at_once: NDArray[np.int16] = table[stored]
        return at_once
    target = np.empty(stored.shape[:2], np.int16)
    # In pieces: eight bytes a value meanwhile, and more than once.
    for piece, into in zip(
        np.array_split(stored, PIECES), np.array_split(target, PIECES), strict=True
    ):
        wanted = packed_colours(piece) if piece.ndim == 3 else piece
        place = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
        into[:] = np.where(keys[place] == wanted, indices[place], np.int16(-1))
    return target


def _unlisted(stored: NDArray[Any], target: NDArray[np.int16]) -> tuple[list[int], int]:
    """Return the values that have no index, colours packed, and how many pixels have them."""
    different: set[int] = set()
    for piece, found in zip(
        np.array_split(stored, PIECES), np.array_split(target, PIECES), strict=True
    ):
        strange = piece[found < 0]
        values = packed_colours(strange) if stored.ndim == 3 else strange
        different.update(map(int, np.unique(values)))
    return sorted(different), int((target < 0).sum())


def _from_nearest(stored: NDArray[Any], values: dict[int, int]) -> Array:
    levels = np.array(sorted(values), dtype=np.int64)
    indices = np.array([values[int(level)] for level in levels], dtype=np.uint8)
    borders = (levels[1:] + levels[:-1] + 1) // 2
    pieces = np.array_split(stored, PIECES)  # eight bytes a value meanwhile
    return np.concatenate([indices[np.searchsorted(borders, one, side="right")] for one in pieces])


def _from_colours(stored: Array, colours: dict[Colour, int], nearest: bool, path: Path) -> Array:
    listed = np.array(sorted(colours), dtype=np.int64)
    indices = np.array([colours[(int(r), int(g), int(b))] for r, g, b in listed], dtype=np.int16)
    target = _looked_up(stored, packed_colours(listed), indices)
    if target.min(initial=0) < 0 and not nearest:
        packed, pixels = _unlisted(stored, target)
        raise UnreadableFile(path, _unexpected([f"#{one:06x}" for one in packed], pixels))
    for colour, into in zip(
        np.array_split(stored, PIECES), np.array_split(target, PIECES), strict=True
    ):
        unlisted = into < 0
        if unlisted.any():
            into[unlisted] = _nearest_colours(colour[unlisted], listed, indices)
    return target.astype(np.uint8)


def _nearest_colours(
    colours: Array, listed: NDArray[np.int64], indices: NDArray[np.int16]
) -> NDArray[np.int16]:
    found, inverse = np.unique(packed_colours(colours), return_inverse=True)
    unlisted = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1)
    distance = ((unlisted[:, None, :] - listed[None, :, :]) ** 2).sum(axis=2)
    nearest: NDArray[np.int16] = indices[distance.argmin(axis=1)][inverse]
    return nearest


def _unexpected(values: list[Any], pixels: int) -> str:
    shown = ", ".join(str(value) for value in values[:5])
    more = f" and {len(values) - 5} more" if len(values) > 5 else ""
    return f"unexpected label value: {shown}{more} in {pixels:,} pixels, which no class has"

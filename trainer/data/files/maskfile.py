"""What a mask file stores: palette indices, grey levels, labels of an array, or colours."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from trainer.data.collection import Colour
from trainer.data.files.arrayfile import MASK_NAMES, channels_last, is_array, read_array
from trainer.data.files.bands import as_rgb
from trainer.data.files.imagefile import UnreadableFile, decoded, named_faults, opened
from trainer.data.files.tiff import is_tiff, read_tiff

# Channels of a grey JPEG differ by rounding alone.
GREY_IN_JPEG = 16
# Values this close to 0 or 255 are those two, seen through smoothing or lossy compression.
NEAR = 40
# How far, in pixels, smoothing carries a value from either side of an edge.
SEAM = 8
# A mask with more colours than this was smoothed or compressed with loss.
MANY_COLOURS = 1024
LARGEST_LABEL = 2**31 - 1
# A large mask is looked through in so many, each with copies of its own.
PIECES = 64


def decode(path: Path) -> Image.Image:
    """Decode a mask file, upright; every failure becomes an `UnreadableFile`.

    Labels of an array, or of a TIFF of more bits than Pillow reads, are a grey image of as many
    bits as they take.
    """
    if is_array(path):
        return _picture(channels_last(read_array(path, MASK_NAMES), (1, 3), path), path)
    with named_faults(path):
        try:
            with opened(path) as image:
                return decoded(image)
        except UnidentifiedImageError:
            if not is_tiff(path):
                raise
    return _picture(read_tiff(path), path)


def _picture(stored: NDArray[Any], path: Path) -> Image.Image:
    """Return labels ``(height, width, 1)`` or colours ``(height, width, 3)`` as an image."""
    bands = stored.shape[2]
    if bands not in (1, 3):
        raise UnreadableFile(path, _bands_problem(bands))
    if stored.dtype.kind == "f" and not all(map(_is_whole, np.array_split(stored, PIECES))):
        raise UnreadableFile(path, "holds fractions, which are no labels")
    low, high = int(stored.min()), int(stored.max())
    if low >= 0 and high <= 255:
        values = np.ascontiguousarray(stored.astype(np.uint8))
        if bands == 3 and high == 1 and (values.sum(axis=2, dtype=np.uint8) == 1).all():
            raise UnreadableFile(path, _bands_problem(bands))
        return Image.fromarray(values if bands == 3 else values[:, :, 0])
    if bands == 3 or max(-low, high) > LARGEST_LABEL:
        what, most = ("colours", 255) if bands == 3 else ("labels", LARGEST_LABEL)
        raise UnreadableFile(path, f"holds {what} from {low} to {high}; at most {most} is read")
    return Image.fromarray(np.ascontiguousarray(stored[:, :, 0].astype(np.int32)))


def _bands_problem(bands: int) -> str:
    shape = "labels (height, width) or colours (height, width, 3)"
    problem = f"has {bands} bands, where a mask is {shape}"
    return f"{problem}; of a map of 0 and 1 for each class, store argmax"


def _is_whole(values: NDArray[Any]) -> bool:
    return bool(np.isfinite(values).all() and np.array_equal(values, np.rint(values)))


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
        return np.array(image)
    if image.mode == "F":
        values = np.array(image)
        if not all(map(_is_whole, np.array_split(values, PIECES))):
            raise UnreadableFile(path, "holds fractions, which are no labels")
        return values
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
        levels: Counter[int] = Counter()
        for piece in np.array_split(stored_values(image, path), PIECES):
            found, counts = np.unique(piece, return_counts=True)
            levels.update(dict(zip(map(int, found), counts.tolist(), strict=True)))
        return _grey(dict(sorted(levels.items())), lossy)
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

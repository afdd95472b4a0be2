"""Decode pairs once, in parallel, and count on the way what the rest of the program needs."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainer.data.collection import RGB, ImageCoding, MaskCoding, Pair
from trainer.data.files.bands import count_pixels
from trainer.data.files.imagefile import UnreadableFile
from trainer.data.files.jsonfile import read_parts
from trainer.data.files.passing import each_in_order
from trainer.data.files.reading import content_hash, count_labels, read_pair
from trainer.data.geometry import UINT8, Size, resize_image, resize_target

Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Source:
    """What is decoded, and how: ``size`` None leaves every image at its own size."""

    pairs: tuple[Pair, ...]
    coding: MaskCoding
    num_classes: int
    size: Size | None
    image_coding: ImageCoding = RGB

    def key(self) -> str:
        """Return a hash that changes whenever a decoded pixel might.

        It covers path, size, inode and both times of change of every file (a tool can set one
        back, the system keeps the other), the coding of images and masks and the size decoded to;
        the files' contents are not read.
        """
        files = [[*map(_file_state, pair.files), *pair.layers] for pair in self.pairs]
        names = [pair.name for pair in self.pairs]
        codings = [_plain(self.coding), self.num_classes, *vars(self.image_coding).values()]
        what = [FORMAT, names, files, *codings, self.size]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:24]

    def num_bytes(self) -> int:
        """Return how much the decoded images and targets take; reads the files' headers."""
        each = self.image_coding.channels + 1
        if self.size is not None:
            return each * self.size[0] * self.size[1] * len(self.pairs)
        return sum(each * (count_pixels(pair.image) or 0) for pair in self.pairs)


# Part of every key: to be raised when decoding or what is stored changes.
FORMAT = 2


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """One pair, decoded and counted.

    ``class_pixels`` counts each class, ``channel_sums`` and ``channel_squares`` add up each
    channel of the image and its squares (values 0 to 255). ``content`` is a hash of the image's
    own pixels before any scaling, equal for equal images in whatever files; ``files`` one of the
    files' bytes, equal on every machine.
    """

    image: UINT8
    target: UINT8
    class_pixels: Counts
    channel_sums: Counts
    channel_squares: Counts
    content: str
    files: str


def decode(pair: Pair, source: Source) -> tuple[UINT8, UINT8]:
    """Return image and target of a pair at the source's size; `UnreadableFile` when damaged."""
    image, target = read_pair(pair, source.coding, source.image_coding)
    if source.size is not None:
        image = resize_image(image, source.size)
        target = resize_target(target, source.size)
    return image, target


def decode_and_count(pair: Pair, source: Source) -> Decoded:
    """Decode a pair and count it; raises `UnreadableFile`, or ``OSError`` when a file is gone."""
    image, target = read_pair(pair, source.coding, source.image_coding)
    content = content_hash(image)
    if source.size is not None:
        image = resize_image(image, source.size)
        target = resize_target(target, source.size)
    # Pillow counts in C: (channels, 256) occurrences of each value in each channel.
    channels = image.shape[2]
    parts = [image] if channels == 3 else [image[:, :, band] for band in range(channels)]
    counted = [Image.fromarray(part).histogram() for part in parts]
    occurrences = np.array(counted, np.int64).reshape(channels, 256)
    values = np.arange(256, dtype=np.int64)
    return Decoded(
        image=image,
        target=target,
        class_pixels=count_labels(target, source.num_classes)[:-1],
        channel_sums=occurrences @ values,
        channel_squares=occurrences @ values**2,
        content=content,
        files=files_digest(pair),
    )


def decode_all(source: Source, *, threads: int | None = None) -> Iterator[Decoded | UnreadableFile]:
    """Yield every pair decoded, or why it cannot be, as `each_in_order` does."""
    return each_in_order(partial(_try_to_decode, source=source), source.pairs, threads=threads)


def _try_to_decode(pair: Pair, source: Source) -> Decoded | UnreadableFile:
    try:
        return decode_and_count(pair, source)
    except UnreadableFile as error:
        return error


def dataset_digest(files: Mapping[str, str], source: Source) -> str:
    """Return what identifies the data on any machine: names, contents and coding, not paths.

    ``files`` holds each pair's digest of its files by the pair's name.
    """
    what = [sorted(files.items()), _plain(source.coding), source.num_classes]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]


def _plain(coding: MaskCoding) -> list[object]:
    """Return a coding as JSON has it, the same in whatever order its values were found."""
    tables = [sorted((table or {}).items()) for table in (coding.values, coding.colours)]
    labels = [] if coding.labels is None else [sorted(coding.labels.items())]
    return [*tables, coding.threshold, coding.nearest, coding.layered, *labels]


def _file_state(path: Path) -> tuple[str, int, int, int, int]:
    try:
        # A link to nothing is told with the other faults, when it is to be read.
        state = path.lstat() if path.is_symlink() and not path.exists() else path.stat()
    except OSError as error:
        raise ValueError(f"data: cannot read {path}: {error.strerror}") from error
    times = state.st_mtime_ns, state.st_ctime_ns
    return str(path.absolute()), state.st_size, state.st_ino, *times


def files_digest(pair: Pair) -> str:
    """Return a hash of a pair's files, of a shared one what it says of this pair."""
    digest = hashlib.sha256(bytes(pair.layers))
    for path in pair.files:
        if pair.parts and path == pair.mask:
            said = b"\n".join(read_parts(path, pair.parts))
            digest.update(hashlib.sha256(said).digest())
            continue
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()

"""Decoded images, kept so that an item costs a copy instead of a decoding.

On disk an entry is a folder: ``pixels.bin``, image and target of every pair one after the other,
and ``items.npz``, where each lies and what was counted on it. It is written beside its final
place under a lock of its own and renamed when complete, so that a process killed half-way leaves
nothing that another would take for an entry, and several that want the same one build it once.
"""

import logging
import mmap
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from trainer.data.cache.decoding import (
    Counts,
    Decoded,
    Source,
    dataset_digest,
    decode,
    decode_all,
    files_digest,
)
from trainer.data.cache.eviction import hold, make_room
from trainer.data.files.imagefile import UnreadableFile
from trainer.data.files.passing import each_in_order
from trainer.data.geometry import UINT8, Size
from trainer.files import replacing_folder
from trainer.progress import Progress

log = logging.getLogger(__name__)

PIXELS = "pixels.bin"
ITEMS = "items.npz"


@dataclass(frozen=True, kw_only=True)
class ItemTable:
    """What is known of every item without its pixels; row i is the i-th pair of the source.

    ``sizes`` is ``(items, 2)`` heights and widths as decoded, ``offsets`` the first byte of each
    item, ``class_pixels`` ``(items, classes)``, ``channel_sums`` and ``channel_squares``
    ``(items, channels)``; ``content`` hashes each image's pixels and ``files`` its files. An item
    that cannot be read is ``faulty``, of size 0 x 0 and without pixels.
    """

    sizes: Counts
    offsets: Counts
    class_pixels: Counts
    channel_sums: Counts
    channel_squares: Counts
    content: NDArray[np.str_]
    files: NDArray[np.str_]
    faulty: NDArray[np.bool_]

    @property
    def num_bytes(self) -> int:
        """The length of all items' pixels: a byte a channel of the image, one of the target."""
        return int((self.channel_sums.shape[1] + 1) * self.sizes.prod(axis=1).sum())


class DecodedImages:
    """All images and targets of a source: mapped from ``path``, in memory, or decoded anew.

    ``table`` describes them; ``digest`` identifies the data set on any machine.
    """

    def __init__(
        self,
        source: Source,
        table: ItemTable,
        *,
        pixels: UINT8 | None = None,
        path: Path | None = None,
    ) -> None:
        self.source = source
        self.table = table
        readable = np.flatnonzero(~table.faulty)
        self._readable = tuple(source.pairs[row] for row in readable)
        self.digest = self._digest_of(table.files[readable].tolist())
        # Plain numbers: indexing an array for one of them costs more than reading the pixels.
        self._places = [
            (offset, height, width)
            for offset, (height, width) in zip(
                table.offsets.tolist(), table.sizes.tolist(), strict=True
            )
        ]
        self._path = path
        self._pixels = pixels if path is None else _map(path)
        self._held = None if path is None else hold(path.parent)

    def __len__(self) -> int:
        return len(self._places)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the map out: a worker process started afresh opens the file itself."""
        return vars(self) | {"_held": None} | ({"_pixels": None} if self._path else {})

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if self._path is not None:
            self._pixels, self._held = _map(self._path), hold(self._path.parent)

    def digest_of_files(self) -> str:
        """Return the digest of the files as they are, all bytes read again.

        Where a file system tells nothing of a change, what was decoded may not be what is there.
        """
        return self._digest_of(each_in_order(files_digest, self._readable))

    def _digest_of(self, files: Iterable[str]) -> str:
        names = (pair.name for pair in self._readable)
        return dataset_digest(dict(zip(names, files, strict=True)), self.source)

    def content_by_name(self) -> dict[str, str]:
        """Return the hash of each image's pixels by the name of its pair."""
        names = (pair.name for pair in self.source.pairs)
        return dict(zip(names, self.table.content.tolist(), strict=True))

    def size(self, index: int) -> Size:
        """Return height and width of an item as it is decoded."""
        return self._places[index][1:]

    def read(self, index: int) -> tuple[UINT8, UINT8]:
        """Return image ``(height, width, channels)`` and target; not to be written."""
        if self._pixels is None:
            return decode(self.source.pairs[index], self.source)
        offset, height, width = self._places[index]
        channels = self.source.image_coding.channels
        middle = offset + channels * height * width
        end = middle + height * width
        image = self._pixels[offset:middle].reshape(height, width, channels)
        return image, self._pixels[middle:end].reshape(height, width)


def open_cache(
    source: Source,
    *,
    mode: str,
    folder: Path,
    limit_gib: float,
    progress: bool = True,
) -> DecodedImages:
    """Return the decoded images of ``source``, decoding them unless ``folder`` has them.

    ``mode`` is ``disk``, ``ram`` (taken from the disk's cache where it is there) or ``off``
    (decoded at every read; what was counted is kept, so that the data is read in full once).
    A source larger than ``limit_gib`` is not kept. Pairs that cannot be read are ``faulty`` in
    the table. Raises ``ValueError`` when a file is gone or the folder cannot be written.
    """
    entry = folder / source.key()
    limit = limit_gib * 2**30
    if not entry.is_dir():
        if mode == "ram":
            return _decoded_to_memory(source, progress)
        if mode == "disk" and _too_large(source, limit):
            mode = "off"
    if mode == "off":
        entry = entry.with_name(f"{entry.name}-counts")
    try:
        with _lock(entry):
            table = _read_table(entry, with_pixels=mode != "off")
            if table is None or _is_mended(source, table):
                make_room(folder, 0 if mode == "off" else source.num_bytes(), limit)
                table = _build(entry, source, keep_pixels=mode != "off", progress=progress)
            os.utime(entry)  # the oldest entry is evicted first, and this one is in use now
            if mode == "off":
                return DecodedImages(source, table)
            pixels = entry / PIXELS
            if mode == "ram":
                return DecodedImages(source, table, pixels=np.fromfile(pixels, np.uint8))
            return DecodedImages(source, table, path=pixels)
    except OSError as error:
        raise ValueError(
            f"cache: cannot use {folder} ({error}); make room there, or choose cache ram"
        ) from error


def _too_large(source: Source, limit: float) -> bool:
    needed = source.num_bytes()
    if needed > limit:
        log.warning(
            "cache: %.2f GiB of decoded images are more than cache_limit_gib allows (%.2f), so "
            "they are decoded anew at every epoch",
            needed / 2**30,
            limit / 2**30,
        )
    return needed > limit


def _decoded_to_memory(source: Source, progress: bool) -> DecodedImages:
    pixels = np.empty(source.num_bytes(), np.uint8)
    written = 0

    def keep(part: UINT8) -> None:
        nonlocal written
        pixels[written : written + part.size] = part.ravel()
        written += part.size

    table = _decode(source, keep, progress)
    return DecodedImages(source, table, pixels=pixels)


def _build(entry: Path, source: Source, *, keep_pixels: bool, progress: bool) -> ItemTable:
    """Write the entry; the caller holds the entry's lock."""
    if entry.exists():
        shutil.rmtree(entry)  # damaged or outdated, and its room may be needed
    with replacing_folder(entry) as partial:
        if keep_pixels:
            # Written, not mapped: a full disk is then an error and not the end of the process.
            with (partial / PIXELS).open("wb") as file:
                table = _decode(source, lambda part: file.write(part.data), progress)
        else:
            table = _decode(source, lambda _: None, progress)
        np.savez(partial / ITEMS, **vars(table))
    return table


def _decode(source: Source, keep: Callable[[UINT8], object], progress: bool) -> ItemTable:
    """Decode everything, hand each image and then its target to ``keep``, return the table."""
    columns: dict[str, list[Any]] = {field.name: [] for field in fields(ItemTable)}
    results = decode_all(source)
    shown = Progress(enabled=progress)
    offset = 0
    for _ in shown.watch(range(len(source.pairs)), "decoding images"):
        item = next(results)
        if isinstance(item, UnreadableFile):
            item = _nothing(source)
        keep(np.ascontiguousarray(item.image))
        keep(np.ascontiguousarray(item.target))
        columns["sizes"].append(item.target.shape)
        columns["offsets"].append(offset)
        columns["faulty"].append(item.target.size == 0)
        for name in ("class_pixels", "channel_sums", "channel_squares", "content", "files"):
            columns[name].append(getattr(item, name))
        offset += item.image.size + item.target.size
    return ItemTable(**{name: np.array(values) for name, values in columns.items()})


def _nothing(source: Source) -> Decoded:
    """Return what stands for a pair that cannot be read."""
    channels = source.image_coding.channels
    return Decoded(
        image=np.empty((0, 0, channels), np.uint8),
        target=np.empty((0, 0), np.uint8),
        class_pixels=np.zeros(source.num_classes, np.int64),
        channel_sums=np.zeros(channels, np.int64),
        channel_squares=np.zeros(channels, np.int64),
        content="",
        files="",
    )


def _is_mended(source: Source, table: ItemTable) -> bool:
    """Whether a pair can be read by now that could not be, say for want of a network drive."""
    for row in np.flatnonzero(table.faulty):
        try:
            decode(source.pairs[row], source)
        except UnreadableFile:
            continue
        return True
    return False


def _read_table(entry: Path, *, with_pixels: bool) -> ItemTable | None:
    """Return the table of a whole entry; None when it is not there or not usable."""
    if not entry.is_dir():
        return None
    try:
        with np.load(entry / ITEMS, allow_pickle=False) as stored:
            table = ItemTable(**{field.name: stored[field.name] for field in fields(ItemTable)})
        if not with_pixels or (entry / PIXELS).stat().st_size == table.num_bytes:
            return table
        reason = "its pixels are cut off"
    except (OSError, KeyError, ValueError, BadZipFile) as error:
        reason = str(error)
    log.warning("cache: %s is damaged (%s) and is made again", entry, reason)
    return None


@contextmanager
def _lock(entry: Path) -> Iterator[None]:
    """Let one process at a time make or open an entry; the lock dies with its process."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{entry}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("waiting for another process that decodes the same images")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _map(path: Path) -> UINT8:
    if not path.stat().st_size:  # nothing could be read, and nothing cannot be mapped
        return np.empty(0, np.uint8)
    with path.open("rb") as file:
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)

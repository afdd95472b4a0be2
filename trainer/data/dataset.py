"""A data set opened: its pairs, split, decoded images and what was counted on them.

Everything that can be known without torch; `loading` makes batches of it.
"""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from trainer.config import TrainConfig
from trainer.data.balance import Weights, class_weights
from trainer.data.cache.decoded import DecodedImages, open_cache
from trainer.data.cache.decoding import Counts, Source
from trainer.data.checking.faults import examine_pair
from trainer.data.checking.scorable import check_scorable, one_sided
from trainer.data.checking.screening import screen
from trainer.data.collection import ClassInfo, Collection, Fault
from trainer.data.geometry import UINT8, Size, round_up
from trainer.data.items import Items
from trainer.data.layouts import open_collection
from trainer.data.normalisation import Values, normalisation
from trainer.data.splits import SPLITS, Splits, duplicates_across, join_duplicates, make_splits
from trainer.progress import Progress
from trainer.store import cache_folder
from trainer.wording import counted

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A data set that is split, decoded and counted.

    ``mean`` and ``std`` normalise values from 0 to 1; ``class_pixels`` counts each class over the
    training targets; ``left_out`` names the pairs that were not used because of a fault.
    """

    collection: Collection
    splits: Splits
    images: DecodedImages
    config: TrainConfig
    mean: Values
    std: Values
    class_pixels: Counts
    left_out: tuple[str, ...] = ()

    @classmethod
    def open(
        cls, config: TrainConfig, *, splits: Splits | None = None, progress: bool = True
    ) -> Self:
        """Open, check, split and decode the data of ``config``; the built-in data if it has none.

        ``splits`` are those that an earlier run stored. The first time everything is decoded, with
        a bar on stderr where ``progress``; later the cache has it. Raises ``ValueError`` when there
        is no data, when it is faulty and ``skip_faulty`` is off, when ``splits`` name other
        images, and when equal images stand in different new splits.
        """
        # A stored split needs no file any more, which may be gone or have changed.
        reading = config if splits is None else config.replace(split_file=None)
        collection = cls.collected(reading, progress=progress)
        images = _decoded(collection, config, progress)
        faults = [*collection.faults, *cls.faults(images, collection)]
        collection, left_out = screen(collection, faults, skip_faulty=config.skip_faulty)
        content = images.content_by_name()
        collection = join_duplicates(collection, content)
        if splits is None:
            splits = make_splits(collection, config)
            splits, copies = _without_leaks(splits, content, skip_faulty=config.skip_faulty)
            left_out += copies
        else:
            _check_names(splits, collection)
        rows = _counted_rows(images, splits)
        table = images.table
        mean, std = normalisation(
            config.normalisation,
            table.channel_sums[rows].sum(axis=0),
            table.channel_squares[rows].sum(axis=0),
            int(table.sizes[rows].prod(axis=1).sum()),
        )
        return cls(
            collection=collection,
            splits=splits,
            images=images,
            config=config,
            mean=mean,
            std=std,
            class_pixels=table.class_pixels[rows].sum(axis=0),
            left_out=left_out,
        )

    @staticmethod
    def collected(config: TrainConfig, *, progress: bool) -> Collection:
        """Return what the folder of ``config`` holds, without decoding the images."""
        return open_collection(data_folder(config, progress=progress), config)

    @staticmethod
    def faults(images: DecodedImages, collection: Collection) -> list[Fault]:
        """Return in full what is wrong with the pairs that could not be decoded."""
        unreadable = [images.source.pairs[row] for row in np.flatnonzero(images.table.faulty)]
        return [fault for pair in unreadable for fault in examine_pair(pair, collection).faults]

    @property
    def digest(self) -> str:
        """What identifies the data set on any machine, made of names, contents and coding."""
        return self.images.digest

    @property
    def classes(self) -> tuple[ClassInfo, ...]:
        """The classes in the order of their indices."""
        return self.collection.classes

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes in the order of their indices."""
        return tuple(info.name for info in self.classes)

    @property
    def num_classes(self) -> int:
        """The number of classes, background included, void excluded."""
        return self.collection.num_classes

    def names(self, split: str) -> tuple[str, ...]:
        """Return the names of the images of ``split``: train, val or test."""
        return self.splits.names(split)

    def groups(self, split: str) -> tuple[str, ...]:
        """Return the group of each of `names`: what is not divided between splits."""
        group_of = {pair.name: pair.group for pair in self.collection.pairs}
        return tuple(group_of[name] for name in self.names(split))

    def size(self, split: str) -> int:
        """Return the number of images of ``split``; crops of one image count as one."""
        return len(self.splits.names(split))

    def image(self, split: str, index: int) -> UINT8:
        """Return an image ``(height, width, channels)`` as an evaluation batch holds it."""
        return self.items(split).item(0, index)[0]

    def target(self, split: str, index: int) -> UINT8:
        """Return a target ``(height, width)`` as an evaluation batch holds it."""
        return self.items(split).item(0, index)[1]

    @property
    def augmented_size(self) -> Size:
        """The size that images have when they are augmented; the smallest where it is their own."""
        rows = self.items("train").rows
        return _size(self.config) or min((self.images.size(row) for row in rows), key=math.prod)

    def class_weights(self, name: str) -> Weights | None:
        """Return one weight per class for the loss, from the training targets; None for none."""
        pixels = self.images.table.class_pixels[_counted_rows(self.images, self.splits)]
        labelled = pixels.sum(axis=1, keepdims=True)
        return class_weights(name, self.class_pixels, (labelled * (pixels > 0)).sum(axis=0))

    def check_scorable(self) -> None:
        """Raise ``ValueError`` where this split cannot be learnt from, or not scored as asked."""
        official = {pair.split for pair in self.collection.pairs}
        if self.config.folds:
            cure = "another --fold or --split-seed"
        elif {"train", "val"} <= official:
            cure = "--folds 5 divides training and validation images anew"
        else:
            cure = "another --split-seed, or a larger --val-fraction"
        check_scorable(self._pixels, self.class_names, monitor=self.config.monitor, cure=cure)

    def check_sizes(self) -> None:
        """Raise ``ValueError`` where the model cannot train on an image of its own size."""
        model = self.config.settings("model")
        for name in self.splits.train if _size(self.config) is None else ():
            height, width = self.images.size(self._row_of[name])
            if max(round_up((height, width), model.stride)) < model.least_size:
                raise ValueError(
                    f"geometry: {name} has {height} x {width} pixels, too few for "
                    f"{self.config.model} as it is set; give --geometry resize with --image-size "
                    f"{model.least_size} {model.least_size} or more"
                )

    @property
    def _pixels(self) -> dict[str, Counts]:
        """Return the pixels of each class in each image of each split, ``(images, classes)``."""
        table = self.images.table.class_pixels
        return {split: table[list(self.items(split).rows)] for split in SPLITS}

    def to_json(self) -> dict[str, Any]:
        """Return what a run stores of its data as ``dataset.json``."""
        return {
            "layout": self.collection.layout,
            "root": str(self.collection.root.resolve()),
            "digest": self.digest,
            "classes": [{"name": c.name, "colour": list(c.colour)} for c in self.classes],
            "mean": list(self.mean),
            "std": list(self.std),
            "mask_values": self.collection.coding.value_of_each(self.num_classes),
            "class_pixels": self.class_pixels.tolist(),
            "pairs": len(self.collection.pairs),
            "left_out": list(self.left_out),
            "notes": list(self.notes()),
        }

    def notes(self) -> tuple[str, ...]:
        """Return in words what was inferred about the data: layout, masks, classes, split."""
        shares = self.class_pixels / max(self.class_pixels.sum(), 1)
        classes = ", ".join(
            f"{name} {100 * share:.1f} %"
            for name, share in zip(self.class_names, shares, strict=True)
        )
        sizes = {split: self.size(split) for split in SPLITS}
        splits = ", ".join(f"{split} {size}" for split, size in sizes.items() if size)
        left_out = len(self.left_out)
        return (
            f"layout {self.collection.layout}, {counted(len(self.collection.pairs), 'pair')}",
            *self.collection.notes,
            f"classes, with their shares of the training pixels: {classes}",
            *one_sided(self._pixels, self.class_names),
            f"images: {splits}",
            *([f"{counted(left_out, 'pair is', 'pairs are')} left out"] if left_out else []),
        )

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {pair.name: row for row, pair in enumerate(self.images.source.pairs)}

    def items(
        self, split: str, *, crops: bool = False, augment: bool = False, seed: int = 0
    ) -> Items:
        """Return the items of ``split``: whole images, or as training sees them."""
        return Items(
            images=self.images,
            rows=tuple(self._row_of[name] for name in self.splits.names(split)),
            geometry=self.config.geometry,
            size=_size(self.config),
            multiple=self.config.settings("model").stride,
            crops=crops,
            augment=self.config.augment if augment else "none",
            augment_settings=self.config.settings("augment"),
            seed=seed,
        )


def _size(config: TrainConfig) -> Size | None:
    """Return the size that the geometry brings images to; None where it has none."""
    size: Size | None = config.values().get("image_size")
    return size


def data_folder(config: TrainConfig, *, progress: bool = True) -> Path:
    """Return the folder that ``config`` names, or that of the built-in data, drawn if need be."""
    if config.data:
        return Path(config.data)
    from turntable.dataset import ensure_turntable  # costs nothing where it is not wanted

    with Progress(enabled=progress).counter("drawing the turntable") as count:
        return ensure_turntable(cache_folder() / "turntable", progress=count)


def _decoded(collection: Collection, config: TrainConfig, progress: bool) -> DecodedImages:
    source = Source(
        pairs=collection.pairs,
        coding=collection.coding,
        num_classes=collection.num_classes,
        size=_size(config) if config.geometry == "resize" else None,
        image_coding=collection.image_coding,
    )
    return open_cache(
        source,
        mode=config.cache,
        folder=cache_folder() / "decoded",
        # Who keeps nothing on the disk makes no room there either.
        limit_gib=config.cache_limit_gib if config.cache == "disk" else math.inf,
        progress=progress,
    )


def _counted_rows(images: DecodedImages, splits: Splits) -> list[int]:
    """Return the rows of the training images; of all where nothing is trained on."""
    training = set(splits.train)
    rows = [row for row, pair in enumerate(images.source.pairs) if pair.name in training]
    return rows or list(range(len(images)))


def _without_leaks(
    splits: Splits, content: Mapping[str, str], *, skip_faulty: bool
) -> tuple[Splits, tuple[str, ...]]:
    copies = duplicates_across(splits, content)
    listed = [f"{copy} is the same image as {kept}" for copy, kept in copies]
    if copies and not skip_faulty:
        raise ValueError(
            f"data: {counted(len(copies), 'image stands', 'images stand')} in two splits; "
            "remove the copies, or leave them out with --skip-faulty\n  " + "\n  ".join(listed[:10])
        )
    for line in listed:
        log.warning("left out: %s, which is in another split", line)
    left_out = tuple(copy for copy, _ in copies)
    return splits.without(left_out), left_out


def _check_names(splits: Splits, collection: Collection) -> None:
    known = {pair.name for pair in collection.pairs}
    missing = [name for name in [*splits.train, *splits.val, *splits.test] if name not in known]
    if missing:
        raise ValueError(
            f"data: {counted(len(missing), 'image of the splits is', 'images of the splits are')} "
            f"not in {collection.root} (or faulty there), such as {missing[0]!r}"
        )

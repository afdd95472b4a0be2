"""Open a data set for training or evaluation and make batches: the one module here with torch.

What is in a batch is a function of the seed, the epoch and the configuration alone: the same
with any number of workers, and the same in a run that was resumed.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from trainer.config import TrainConfig
from trainer.data.balance import Weights, class_weights
from trainer.data.cache import DecodedImages, open_cache
from trainer.data.collection import ClassInfo, Collection
from trainer.data.decoding import Counts, Source
from trainer.data.geometry import UINT8
from trainer.data.items import Items, Key
from trainer.data.layouts import open_collection
from trainer.data.normalisation import Triple, normalisation
from trainer.data.screening import screen
from trainer.data.splits import Split, duplicates_across, make_split
from trainer.store import cache_folder

log = logging.getLogger(__name__)


class Batch(NamedTuple):
    """Images ``uint8 (batch, 3, height, width)``, targets ``uint8 (batch, height, width)``.

    Targets hold class indices and `VOID`; ``indices`` ``int64 (batch,)`` point into the part's
    names. The images' memory is channels-last already.
    """

    images: Tensor
    targets: Tensor
    indices: Tensor


@dataclass(frozen=True, kw_only=True)
class SegmentationData:
    """A data set that is split, decoded and counted.

    ``mean`` and ``std`` normalise values from 0 to 1; ``class_pixels`` counts each class over the
    training targets; ``left_out`` names the pairs that were not used because of a fault.
    """

    collection: Collection
    split: Split
    images: DecodedImages
    config: TrainConfig
    mean: Triple
    std: Triple
    class_pixels: Counts
    left_out: tuple[str, ...] = ()
    _loaders: dict[tuple[Any, ...], "_Batches"] = field(default_factory=dict, repr=False)

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

    def names(self, part: str) -> tuple[str, ...]:
        """Return the names of the images of ``part``: train, val or test."""
        return self.split.names(part)

    def size(self, part: str) -> int:
        """Return the number of images of ``part``; crops of one image count as one."""
        return len(self.split.names(part))

    def image(self, part: str, index: int) -> UINT8:
        """Return an image ``(height, width, 3)`` as an evaluation batch holds it."""
        return self._items(part).item(0, index)[0]

    def target(self, part: str, index: int) -> UINT8:
        """Return a target ``(height, width)`` as an evaluation batch holds it."""
        return self._items(part).item(0, index)[1]

    def class_weights(self, name: str) -> Weights | None:
        """Return one weight per class for the loss, from the training targets; None for none."""
        pixels = self.images.table.class_pixels[_counted_rows(self.images, self.split)]
        labelled = pixels.sum(axis=1, keepdims=True)
        return class_weights(name, self.class_pixels, (labelled * (pixels > 0)).sum(axis=0))

    def batches(
        self,
        part: str,
        *,
        batch_size: int,
        epoch: int | None = None,
        seed: int = 0,
        shuffle: bool = False,
        augment: bool = False,
        workers: int = 0,
    ) -> "_Batches":
        """Return an iterable, with a length, over all images of ``part``.

        With ``shuffle`` or ``augment`` the items are those of training (crops where the geometry
        asks for them, augmentation with ``augment``); otherwise every image comes whole, once.
        The same ``seed`` and ``epoch`` always give the same batches, whatever ``workers``. The
        last batch may be smaller. Worker processes stay from one epoch to the next.
        """
        key = (part, batch_size, seed, shuffle, augment, workers)
        if key not in self._loaders:
            items = self._items(part, crops=shuffle or augment, augment=augment, seed=seed)
            self._loaders[key] = _Batches(items, batch_size, shuffle=shuffle, workers=workers)
        return self._loaders[key].at(epoch or 0)

    def to_json(self) -> dict[str, Any]:
        """Return what a run stores of its data as ``dataset.json``."""
        return {
            "layout": self.collection.layout,
            "root": str(self.collection.root),
            "digest": self.digest,
            "classes": [{"name": c.name, "colour": list(c.colour)} for c in self.classes],
            "mean": list(self.mean),
            "std": list(self.std),
            "class_pixels": self.class_pixels.tolist(),
            "pairs": len(self.collection.pairs),
            "left_out": list(self.left_out),
        }

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {pair.name: row for row, pair in enumerate(self.images.source.pairs)}

    def _items(
        self, part: str, *, crops: bool = False, augment: bool = False, seed: int = 0
    ) -> Items:
        return Items(
            images=self.images,
            rows=tuple(self._row_of[name] for name in self.split.names(part)),
            geometry=self.config.geometry,
            size=self.config.image_size,
            multiple=2**self.config.depth,
            crops=crops,
            augment=self.config.augment if augment else "none",
            probability=self.config.augment_probability,
            seed=seed,
        )


def open_data(
    config: TrainConfig, *, split: Split | None = None, progress: bool = True
) -> SegmentationData:
    """Open, check, split and decode the data of ``config``; the built-in data when it names none.

    ``split`` is one that an earlier run stored. The first time everything is decoded, with a bar
    on stderr where ``progress``; later the cache has it. Raises ``ValueError`` when there is no
    data, when it is faulty and ``skip_faulty`` is off, when ``split`` names other images, and
    when equal images stand in different parts of a new split.
    """
    collection = open_collection(
        Path(config.data) if config.data else _built_in_data(),
        layout=config.layout,
        trimap_border=config.trimap_border,
        group_by=config.group_by,
    )
    collection, left_out = screen(collection, collection.faults, skip_faulty=config.skip_faulty)
    images = _decoded(collection, config, progress)
    if split is None:
        split = make_split(collection, config)
        split, copies = _without_leaks(split, images, skip_faulty=config.skip_faulty)
        left_out += copies
    else:
        _check_names(split, collection)
    rows = _counted_rows(images, split)
    table = images.table
    mean, std = normalisation(
        config.normalisation,
        table.channel_sums[rows].sum(axis=0),
        table.channel_squares[rows].sum(axis=0),
        int(table.sizes[rows].prod(axis=1).sum()),
    )
    return SegmentationData(
        collection=collection,
        split=split,
        images=images,
        config=config,
        mean=mean,
        std=std,
        class_pixels=table.class_pixels[rows].sum(axis=0),
        left_out=left_out,
    )


def _built_in_data() -> Path:
    from trainer.data.synthetic import ensure_turntable  # costs nothing where it is not wanted

    return ensure_turntable(cache_folder() / "turntable")


def _decoded(collection: Collection, config: TrainConfig, progress: bool) -> DecodedImages:
    source = Source(
        pairs=collection.pairs,
        coding=collection.coding,
        num_classes=collection.num_classes,
        size=config.image_size if config.geometry == "resize" else None,
    )
    return open_cache(
        source,
        mode=config.cache,
        folder=cache_folder() / "decoded",
        limit_gib=config.cache_limit_gib,
        progress=progress,
    )


def _counted_rows(images: DecodedImages, split: Split) -> list[int]:
    """Return the rows of the training images; of all where nothing is trained on."""
    training = set(split.train)
    rows = [row for row, pair in enumerate(images.source.pairs) if pair.name in training]
    return rows or list(range(len(images)))


def _without_leaks(
    split: Split, images: DecodedImages, *, skip_faulty: bool
) -> tuple[Split, tuple[str, ...]]:
    names = (pair.name for pair in images.source.pairs)
    content = dict(zip(names, images.table.content.tolist(), strict=True))
    copies = duplicates_across(split, content)
    listed = [f"{copy} is the same image as {kept}" for copy, kept in copies]
    if copies and not skip_faulty:
        raise ValueError(
            f"data: {len(copies)} images stand in two parts of the split; remove the copies, or "
            "leave them out with --skip-faulty\n  " + "\n  ".join(listed[:10])
        )
    for line in listed:
        log.warning("left out: %s, which is in another part of the split", line)
    left_out = tuple(copy for copy, _ in copies)
    return split.without(left_out), left_out


def _check_names(split: Split, collection: Collection) -> None:
    known = {pair.name for pair in collection.pairs}
    missing = [name for name in [*split.train, *split.val, *split.test] if name not in known]
    if missing:
        raise ValueError(
            f"data: {len(missing)} images of the split are not in {collection.root} (or are "
            f"faulty there), such as {missing[0]!r}"
        )


class _Loadable(Dataset[Batch]):
    """Items as torch's loader wants them: a list of keys in, a batch out."""

    def __init__(self, items: Items) -> None:
        self._items = items

    def __getitems__(self, keys: Sequence[Key]) -> Batch:
        images, targets, indices = self._items.batch(keys)
        return Batch(
            # A view: the memory stays (batch, height, width, 3), which torch calls channels-last.
            torch.from_numpy(images).permute(0, 3, 1, 2),
            torch.from_numpy(targets),
            torch.from_numpy(indices),
        )


class _Batches:
    """The batches of a part, epoch after epoch, with the workers kept in between."""

    def __init__(self, items: Items, batch_size: int, *, shuffle: bool, workers: int) -> None:
        self._items = items
        self._batch_size = batch_size
        self._shuffle = shuffle
        self._keys: list[list[Key]] = []
        self._loadable = _Loadable(items)
        self._loader: DataLoader[Batch] | None = None
        if workers:
            self._loader = DataLoader(
                self._loadable,
                batch_sampler=_Sampler(self),
                num_workers=workers,
                collate_fn=_as_it_is,
                persistent_workers=True,
            )

    def at(self, epoch: int) -> "_Batches":
        """Make these the batches of ``epoch``."""
        self._keys = self._items.batches(epoch, self._batch_size, shuffle=self._shuffle)
        return self

    @property
    def keys(self) -> list[list[Key]]:
        """The keys of each batch of the current epoch."""
        return self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Batch]:
        if self._loader is not None:
            return iter(self._loader)
        return (self._loadable.__getitems__(keys) for keys in self._keys)


class _Sampler:
    """Keys of the current epoch: read anew at each iteration, since the loader outlives it."""

    def __init__(self, batches: _Batches) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[list[Key]]:
        return iter(self._batches.keys)

    def __len__(self) -> int:
        return len(self._batches.keys)


def _as_it_is(batch: Any) -> Any:
    return batch

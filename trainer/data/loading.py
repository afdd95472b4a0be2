"""Batches of images and targets for training and evaluation: the one module here with torch.

What is in a batch is a function of the seed, the epoch and the configuration alone: the same
with any number of workers, and the same in a run that was resumed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.util import get_temp_dir
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from trainer.config import TrainConfig
from trainer.data.dataset import DataSet
from trainer.data.items import Items, Key
from trainer.data.splits import Splits


class Batch(NamedTuple):
    """Images ``uint8 (batch, channels, height, width)``, targets ``uint8 (batch, height, width)``.

    Targets hold class indices and `VOID`; ``indices`` ``int64 (batch,)`` point into the split's
    names. The images' memory is channels-last already.
    """

    images: Tensor
    targets: Tensor
    indices: Tensor


@dataclass(frozen=True, kw_only=True)
class SegmentationData(DataSet):
    """A data set that makes batches."""

    _loaders: dict[tuple[Any, ...], "_Loader"] = field(default_factory=dict, repr=False)

    def batches(
        self,
        split: str,
        *,
        batch_size: int,
        epoch: int | None = None,
        seed: int = 0,
        shuffle: bool = False,
        augment: bool = False,
        workers: int = 0,
        pin_memory: bool = False,
    ) -> "Batches":
        """Return an iterable, with a length, over all images of ``split``.

        With ``shuffle`` or ``augment`` the items are those of training (crops where the geometry
        asks for them, augmentation with ``augment``); otherwise every image comes whole, once.
        The same ``seed`` and ``epoch`` always give the same batches, whatever ``workers``. The
        last batch may be smaller. Worker processes stay from one epoch to the next; with
        ``pin_memory`` batches lie where a GPU fetches them without stopping the processor.
        """
        key = (split, seed, shuffle, augment, workers, pin_memory)
        if key not in self._loaders:
            items = self.items(split, crops=shuffle or augment, augment=augment, seed=seed)
            self._loaders[key] = _Loader(items, workers=workers, pin_memory=pin_memory)
        loader = self._loaders[key]
        return Batches(loader, loader.items.batches(epoch or 0, batch_size, shuffle=shuffle))


def open_data(
    config: TrainConfig, *, splits: Splits | None = None, progress: bool = True
) -> SegmentationData:
    """Return the data of ``config``, ready to make batches; see `DataSet.open`."""
    return SegmentationData.open(config, splits=splits, progress=progress)


class _Loadable(Dataset[Batch]):
    """Items as torch's loader wants them: a list of keys in, a batch out."""

    def __init__(self, items: Items) -> None:
        self._items = items

    def __getitems__(self, keys: Sequence[Key]) -> Batch:
        images, targets, indices = self._items.batch(keys)
        return Batch(
            # A view: the memory stays as it is, which torch calls channels-last.
            torch.from_numpy(images).permute(0, 3, 1, 2),
            torch.from_numpy(targets),
            torch.from_numpy(indices),
        )


class _Loader:
    """Makes batches of one split; its workers, if any, stay from one epoch to the next."""

    def __init__(self, items: Items, *, workers: int, pin_memory: bool) -> None:
        self.items = items
        self._loadable = _Loadable(items)
        self._pin_memory = pin_memory
        self._keys = _Keys()
        self._workers: DataLoader[Batch] | None = None
        if workers:
            # Theirs too, and so removed by this process though one of them is killed.
            get_temp_dir()
            self._workers = DataLoader(
                self._loadable,
                batch_sampler=self._keys,
                num_workers=workers,
                collate_fn=_as_it_is,
                persistent_workers=True,
                pin_memory=pin_memory,
                # Its own: torch's would be moved on at every epoch, and with it the dropout of a
                # run with workers would differ from that of one without.
                generator=torch.Generator(),
            )

    def load(self, keys: list[list[Key]]) -> Iterator[Batch]:
        if self._workers is not None:
            self._keys.of_epoch = keys
            yield from self._workers
            return
        for batch_keys in keys:
            batch = self._loadable.__getitems__(batch_keys)
            yield Batch(*(tensor.pin_memory() for tensor in batch)) if self._pin_memory else batch


class Batches:
    """The batches of one epoch; iterating again gives the same ones.

    With workers, finish or drop one iteration over a split before the next one starts.
    """

    def __init__(self, loader: _Loader, keys: list[list[Key]]) -> None:
        self._loader = loader
        self._keys = keys

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Batch]:
        return self._loader.load(self._keys)

    @property
    def sizes(self) -> list[int]:
        """The number of images in each batch."""
        return [len(keys) for keys in self._keys]


class _Keys(Sampler[list[Key]]):
    """The keys of each batch; replaced for every epoch, since the workers outlive it."""

    def __init__(self) -> None:
        self.of_epoch: list[list[Key]] = []

    def __iter__(self) -> Iterator[list[Key]]:
        return iter(self.of_epoch)

    def __len__(self) -> int:
        return len(self.of_epoch)


def _as_it_is(batch: Any) -> Any:
    return batch

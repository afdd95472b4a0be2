"""What the items of a split are, in which order they come, and how a batch is made of them.

An item is an image, or a crop of one; its key is (epoch, item number), and everything random
about it is drawn from the seed and its key.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trainer.data.augment import Augment, build_augmentation
from trainer.data.cache.decoded import DecodedImages
from trainer.data.collection import VOID
from trainer.data.geometry import (
    UINT8,
    Size,
    cut,
    cut_target,
    five_crops,
    pad_image,
    pad_target,
    round_up,
)
from trainer.settings import Settings

Key = tuple[int, int]

# First word of every seed, so that order, crops and augmentation draw from separate streams.
ORDER, CROP, AUGMENTATION = 1, 2, 3


@dataclass(frozen=True, kw_only=True)
class Items:
    """The items of one split, seen for training (crops, augmentation) or for evaluation (whole).

    ``rows`` are the split's images as indices into ``images``. ``size`` is that of the geometry,
    None where it has none. Images at their own scale are padded to multiples of ``multiple``,
    the factor by which the network divides its input. Without ``crops`` every item is a whole
    image.
    """

    images: DecodedImages
    rows: tuple[int, ...]
    geometry: str
    size: Size | None
    multiple: int
    crops: bool = False
    augment: str = "none"
    augment_settings: Settings = field(default_factory=Settings)
    seed: int = 0

    def __len__(self) -> int:
        return len(self.rows) * self._crops_each

    def batches(self, epoch: int, batch_size: int, *, shuffle: bool) -> list[list[Key]]:
        """Return the keys of each batch of an epoch; the last batch may be smaller.

        Whole images at their own scale share a batch only with images of the same padded size:
        what is predicted for an image then never depends on the others. If the network was
        trained on crops, such a batch holds no more pixels than ``batch_size`` crops, or one
        image.
        """
        if not (shuffle or self.crops or self.geometry == "resize"):
            return self._by_size(epoch, batch_size)
        numbers = np.arange(len(self))
        if shuffle:
            numbers = np.random.default_rng([ORDER, self.seed, epoch]).permutation(len(self))
        keys = [(epoch, int(number)) for number in numbers]
        return [keys[i : i + batch_size] for i in range(0, len(keys), batch_size)]

    def batch(self, keys: Sequence[Key]) -> tuple[UINT8, UINT8, NDArray[np.int64]]:
        """Return images ``(batch, height, width, channels)``, targets and the images' indices.

        Smaller items are padded to the largest, in the target with `VOID`.
        """
        items = [self.item(*key) for key in keys]
        size = (
            max(target.shape[0] for _, target in items),
            max(target.shape[1] for _, target in items),
        )
        images = np.empty((len(items), *size, items[0][0].shape[2]), np.uint8)
        targets = np.empty((len(items), *size), np.uint8)
        for row, (image, target) in enumerate(items):
            images[row] = pad_image(image, size)
            targets[row] = pad_target(target, size, VOID)
        indices = np.array([number // self._crops_each for _, number in keys], np.int64)
        return images, targets, indices

    def item(self, epoch: int, number: int) -> tuple[UINT8, UINT8]:
        """Return image and target of an item, a function of the seed and the two arguments."""
        image, target = self.images.read(self.rows[number // self._crops_each])
        cropped = self.crops and self.geometry in ("random-crop", "five-crop")
        if cropped and self.size is not None:
            top, left = self._corner((target.shape[0], target.shape[1]), self.size, epoch, number)
            image = cut(image, top, left, self.size)
            target = cut_target(target, top, left, self.size, VOID)
        if self.augment != "none":
            image, target = self._augmentation(
                image, target, (AUGMENTATION, self.seed, epoch, number)
            )
        if self.geometry != "resize" and not cropped:
            padded = round_up((target.shape[0], target.shape[1]), self.multiple)
            image, target = pad_image(image, padded), pad_target(target, padded, VOID)
        return image, target

    @property
    def _crops_each(self) -> int:
        return 5 if self.crops and self.geometry == "five-crop" else 1

    @cached_property
    def _augmentation(self) -> Augment:
        # Built where it is first used: in the worker, not in the process that starts it.
        return build_augmentation(self.augment, self.augment_settings)

    def _corner(self, shape: Size, size: Size, epoch: int, number: int) -> tuple[int, int]:
        if self.geometry == "five-crop":
            return five_crops(shape, size)[number % 5]
        random = np.random.default_rng([CROP, self.seed, epoch, number])
        top, left = (
            int(random.integers(max(0, side - wanted) + 1))
            for side, wanted in zip(shape, size, strict=True)
        )
        return top, left

    def _by_size(self, epoch: int, batch_size: int) -> list[list[Key]]:
        alike: dict[Size, list[Key]] = {}
        for number, row in enumerate(self.rows):
            size = round_up(self.images.size(row), self.multiple)
            alike.setdefault(size, []).append((epoch, number))
        batches = []
        for (height, width), keys in sorted(alike.items()):
            count = batch_size
            if self.size is not None:
                budget = batch_size * self.size[0] * self.size[1]
                count = max(1, min(batch_size, budget // (height * width)))
            batches += [keys[i : i + count] for i in range(0, len(keys), count)]
        return batches

"""Images of a class each, split, decoded and made into batches as images with masks are.

Inside the program the target of such an image is a map of its class alone; a batch holds a pixel
of it, and so do a classifier's logits.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.classification.labels import open_labelled
from trainer.config import TrainConfig
from trainer.data.balance import Weights, class_weights
from trainer.data.cache.decoded import DecodedImages
from trainer.data.checking.scorable import one_sided
from trainer.data.collection import Collection, Fault
from trainer.data.files.imagefile import UnreadableFile
from trainer.data.files.reading import read_image
from trainer.data.geometry import UINT8
from trainer.data.items import Items, Key
from trainer.data.loading import SegmentationData
from trainer.data.splits import SPLITS
from trainer.wording import counted


class LabelledItems(Items):
    """`Items` whose targets are one pixel each: the class of the image."""

    def batch(self, keys: Sequence[Key]) -> tuple[UINT8, UINT8, NDArray[np.int64]]:
        """Return images, targets ``(batch, 1, 1)`` and the images' indices."""
        images, targets, indices = super().batch(keys)
        # What augmentation moved in is void, above every class.
        return images, targets.min(axis=(1, 2), keepdims=True), indices


class LabelledData(SegmentationData):
    """A data set of images of a class each."""

    @staticmethod
    def collected(config: TrainConfig, *, progress: bool) -> Collection:
        """Return what the folder or the table of ``config`` holds, without decoding the images."""
        del progress
        if config.data is None:
            raise ValueError("data: a classifier has no built-in data; give --data")
        return open_labelled(Path(config.data), config)

    @staticmethod
    def faults(images: DecodedImages, collection: Collection) -> list[Fault]:
        """Return which images cannot be read, and which are there in two classes."""
        found = []
        alike = defaultdict(list)
        for row, pair in enumerate(collection.pairs):
            if images.table.faulty[row]:
                try:
                    read_image(pair.image, collection.image_coding)
                except UnreadableFile as error:
                    found.append(Fault(path=pair.image, problem=error.problem, pair=pair.name))
            else:
                alike[str(images.table.content[row])].append(pair)
        for same in alike.values():
            if len({pair.whole for pair in same}) > 1:
                for pair, other in zip(same, (*same[1:], same[0]), strict=True):
                    name = collection.classes[other.whole or 0].name
                    problem = f"one image in two classes: {other.name}, of {name!r}, is the same"
                    found.append(Fault(path=pair.image, problem=problem, pair=pair.name))
        return found

    def items(self, split: str, **kwargs: Any) -> Items:
        """Return the items of ``split``, as `DataSet.items` does."""
        return LabelledItems(**vars(super().items(split, **kwargs)))

    def class_images(self, split: str) -> NDArray[np.int64]:
        """Return the number of images of each class in ``split``."""
        shown: NDArray[np.int64] = (self._pixels[split] > 0).sum(axis=0)
        return shown

    def class_weights(self, name: str) -> Weights | None:
        """Return one weight per class for the loss, from the training images; None for none."""
        return class_weights(name, self.class_images("train"))

    def check_scorable(self) -> None:
        """Raise ``ValueError`` where the training images are of fewer than two classes."""
        learnt = self.class_images("train")
        if np.count_nonzero(learnt) < 2:
            only = self.class_names[int(learnt.argmax())]
            raise ValueError(
                f"split: the training images are all of {only!r}, so nothing is learnt; give "
                "another --split-seed, or a split of your own (--split-file)"
            )

    def to_json(self) -> dict[str, Any]:
        """Return what a run stores of its data as ``dataset.json``."""
        told = super().to_json()
        del told["class_pixels"]
        return told | {"class_images": {s: self.class_images(s).tolist() for s in SPLITS}}

    def notes(self) -> tuple[str, ...]:
        """Return in words what was inferred about the data: classes, split."""
        left_out = len(self.left_out)
        of_classes = [
            f"{split}: {', '.join(map(_told, self.class_names, self.class_images(split)))}"
            for split in SPLITS
            if self.size(split)
        ]
        return (
            f"layout {self.collection.layout}, {counted(len(self.collection.pairs), 'image')}",
            *self.collection.notes,
            *of_classes,
            *one_sided(self._pixels, self.class_names),
            *([f"{counted(left_out, 'image is', 'images are')} left out"] if left_out else []),
        )


def _told(name: str, images: int) -> str:
    return f"{name} {images}" if images else f"{name} none"

"""Judge masks against a data set, image by image, at the images' own sizes.

The masks come from a model or from a folder that another tool wrote (`predictions`). Training
scores at the network's size; here a mask is scored as it will be used, so that the two can be
compared.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from trainer.data.collection import RGB, Collection, ImageCoding, Pair
from trainer.data.files.reading import read_image, read_target
from trainer.evaluation.boundary import boundary_confusion
from trainer.evaluation.evaluation import Evaluation
from trainer.evaluation.metrics import confusion_per_image

Mask = NDArray[np.uint8]
MaskOf = Callable[[Pair], Mask]


def assess(
    mask_of: MaskOf,
    pairs: Sequence[Pair],
    collection: Collection,
    *,
    split: str,
    boundary: bool = False,
    watch: Callable[[Iterable[Pair]], Iterable[Pair]] = iter,
) -> Evaluation:
    """Compare the mask of each pair of ``split`` with its target.

    ``mask_of`` returns class indices ``uint8 (height, width)`` of the image's own size. ``watch``
    may show progress. Raises ``ValueError`` naming the image when a mask has another size, and
    for a file that cannot be read.
    """
    num_classes = collection.num_classes
    confusion = np.zeros((len(pairs), num_classes, num_classes), np.int64)
    bands = np.zeros((len(pairs), 3, num_classes), np.int64)
    for row, pair in enumerate(watch(pairs)):
        target = read_target(pair, collection.coding)
        predicted = mask_of(pair)
        if predicted.shape != target.shape:
            raise ValueError(
                f"{pair.name}: the predicted mask is {_size(predicted)}, the target "
                f"{_size(target)} (width x height); they must be of one size"
            )
        confusion[row] = confusion_per_image(_batch(predicted), _batch(target), num_classes)[0]
        if boundary:
            bands[row] = boundary_confusion(predicted, target, num_classes)
    return Evaluation(
        split=split,
        images=tuple(pair.name for pair in pairs),
        classes=tuple(info.name for info in collection.classes),
        confusion=confusion,
        groups=tuple(pair.group for pair in pairs),
        boundary=bands if boundary else None,
    )


def masks_of_model(model_folder: Path, collection: Collection, device: str) -> MaskOf:
    """Return what predicts a pair's mask with the model in a folder.

    Images are read as those that it was trained on. Raises ``ValueError`` when the model has other
    classes than the data, or in another order, and when other images are asked for. A class
    without a name of its own is called by what codes it (``colour 008000``, ``level 3``), so that
    names tell of other codings too.
    """
    from trainer.prediction.predictor import Predictor

    predictor = Predictor(model_folder, device=device)
    known, wanted = list(predictor.classes), [info.name for info in collection.classes]
    if known != wanted:
        pairs = enumerate(zip_longest(known, wanted, fillvalue="none"))
        at, (ours, theirs) = next(pair for pair in pairs if pair[1][0] != pair[1][1])
        raise ValueError(
            f"model: it knows the classes {_listed(known)}, the data has {_listed(wanted)} (class "
            f"{at} is {ours!r} and {theirs!r}); if they mean the same, name the data's classes as "
            "the model's in its classes.yaml"
        )
    coding = ImageCoding(channels=predictor.channels, value_range=predictor.value_range)
    if collection.image_coding not in (coding, RGB):
        raise ValueError("channels, value_range: are the model's own; leave them out")
    return lambda pair: predictor.predict(read_image(pair.image, coding))


def _batch(mask: Mask) -> torch.Tensor:
    return torch.from_numpy(np.array(mask))[np.newaxis]


def _size(mask: Mask) -> str:
    return f"{mask.shape[1]} x {mask.shape[0]}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (", …" if len(names) > 4 else "")

"""Judge masks against a data set, image by image, at the images' own sizes.

The masks come from a model or from a folder that another tool wrote. Training scores at the
network's size; here a mask is scored as it will be used, so that the two can be compared.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trainer.analysis.bootstrap import Interval, score_intervals
from trainer.analysis.ratios import PixelCounts
from trainer.analysis.scores import Counts, counts, dice, image_scores, iou, nanmean, summary
from trainer.data.collection import VOID, Collection, MaskCoding, Pair
from trainer.data.files.imagefile import UnreadableFile
from trainer.data.files.reading import read_image, read_mask, read_target
from trainer.evaluation.boundary import boundary_confusion
from trainer.evaluation.metrics import confusion_per_image
from trainer.evaluation.per_image import write_part
from trainer.files import write_json

Mask = NDArray[np.uint8]
MaskOf = Callable[[Pair], Mask]
MASK_SUFFIXES = (".png", ".gif", ".tif", ".tiff", ".bmp", ".webp", ".jpg", ".jpeg")
HEADLINES = ("dice", "miou", "accuracy", "dice_per_image")


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """How masks did on one part of a data set.

    ``confusion`` is ``(images, classes, classes)``; ``boundary`` ``(images, 3, classes)`` TP, FP
    and FN of the boundary bands, or None when it was not asked for.
    """

    part: str
    images: tuple[str, ...]
    classes: tuple[str, ...]
    confusion: Counts
    boundary: Counts | None = None

    def scores(self) -> dict[str, float]:
        """Return the headline scores, and ``boundary_iou`` where it was asked for."""
        found = summary(self.confusion)
        chosen = {key: found[key] for key in HEADLINES}
        if self.boundary is not None:
            tp, fp, fn = self.boundary.sum(axis=0)
            chosen["boundary_iou"] = float(nanmean(iou(tp, fp, fn)))
        return chosen

    def per_class(self) -> dict[str, dict[str, float]]:
        """Return Dice and IoU of each class over the whole part; NaN for one that never appears."""
        total = counts(self.confusion.sum(axis=0))
        pairs = zip(self.classes, dice(*total), iou(*total), strict=True)
        return {name: {"dice": float(d), "iou": float(i)} for name, d, i in pairs}

    def intervals(self) -> dict[str, Interval]:
        """Return 95 % intervals of the headline scores over the images."""
        return score_intervals(self.pixel_counts(), HEADLINES)

    def pixel_counts(self) -> PixelCounts:
        """Return the counts as `trainer.analysis.comparison` takes them."""
        return PixelCounts(*counts(self.confusion))

    def worst(self, number: int) -> list[tuple[str, float]]:
        """Return the images with the lowest Dice, the lowest first."""
        scores = image_scores(self.confusion)
        order = [i for i in np.argsort(scores, kind="stable") if np.isfinite(scores[i])]
        return [(self.images[i], float(scores[i])) for i in order[:number]]

    def to_json(self) -> dict[str, Any]:
        """Return what ``trainer evaluate --json`` prints of a part."""
        return {
            **self.scores(),
            "images": len(self.images),
            "iou": {name: values["iou"] for name, values in self.per_class().items()},
            "dice_of_classes": {n: v["dice"] for n, v in self.per_class().items()},
            "intervals": {k: [i.low, i.high] for k, i in self.intervals().items()},
            "worst": [{"image": name, "dice": score} for name, score in self.worst(5)],
        }

    def write(self, folder: Path) -> None:
        """Write a Parquet file of scores per image and class, and ``confusion.json``."""
        place = folder / self.part
        nan = float("nan")
        write_part(
            place,
            epoch=0,
            images=self.images,
            classes=self.classes,
            confusion=self.confusion,
            lr=nan,
            grad_norm=nan,
        )
        matrix = self.confusion.sum(axis=0).tolist()
        described = {"split": self.part, "classes": list(self.classes), "matrix": matrix}
        write_json(place / "confusion.json", described)


def assess(
    mask_of: MaskOf,
    pairs: Sequence[Pair],
    collection: Collection,
    *,
    part: str,
    boundary: bool = False,
    watch: Callable[[Iterable[Pair]], Iterable[Pair]] = iter,
) -> Assessment:
    """Compare the mask of each pair with its target.

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
    return Assessment(
        part=part,
        images=tuple(pair.name for pair in pairs),
        classes=tuple(info.name for info in collection.classes),
        confusion=confusion,
        boundary=bands if boundary else None,
    )


def masks_of_model(model_folder: Path, collection: Collection, device: str) -> MaskOf:
    """Return what predicts a pair's mask with the model in a folder.

    Raises ``ValueError`` when the model has other classes than the data.
    """
    from trainer.prediction.predictor import Predictor

    predictor = Predictor(model_folder, device=device)
    wanted = [info.name for info in collection.classes]
    if len(predictor.classes) != len(wanted):
        raise ValueError(
            f"model: it knows {len(predictor.classes)} classes ({_listed(predictor.classes)}), "
            f"the data has {len(wanted)} ({_listed(wanted)})"
        )
    return lambda pair: predictor.predict(read_image(pair.image))


def masks_in_folder(folder: Path, collection: Collection) -> MaskOf:
    """Return what reads a pair's mask from ``folder``: a file of the pair's name.

    The files may code classes as the data set's own masks do, as class indices, or, with two
    classes, as 0 and 255. Raises ``ValueError`` when there is no such folder or file.
    """
    if not folder.is_dir():
        raise ValueError(f"predictions: {folder} is no folder")
    codings = _possible_codings(collection)

    def read(pair: Pair) -> Mask:
        path = _mask_file(folder, pair)
        problems: list[str] = []
        for coding in codings:
            try:
                mask = read_mask(path, coding)
            except UnreadableFile as error:
                problems.append(str(error))
                continue
            # A prediction has no void: what the coding calls so is taken for background.
            return np.where(mask == VOID, np.uint8(0), mask)
        raise ValueError(f"predictions: {problems[0]}")

    return read


def _possible_codings(collection: Collection) -> list[MaskCoding]:
    indices = MaskCoding(values={index: index for index in range(collection.num_classes)})
    codings = [indices, collection.coding]
    if collection.num_classes == 2:
        codings.append(MaskCoding(values={0: 0, 255: 1}))
    return codings


def _mask_file(folder: Path, pair: Pair) -> Path:
    for stem in (pair.name, Path(pair.name).name, pair.image.stem, pair.mask.stem):
        for suffix in MASK_SUFFIXES:
            if (path := folder / f"{stem}{suffix}").is_file():
                return path
    raise ValueError(f"predictions: {folder} has no mask for {pair.name!r}")


def _batch(mask: Mask) -> torch.Tensor:
    return torch.from_numpy(np.array(mask))[np.newaxis]


def _size(mask: Mask) -> str:
    return f"{mask.shape[1]} x {mask.shape[0]}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (", …" if len(names) > 4 else "")

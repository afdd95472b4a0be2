"""Augmentation of training images by albumentations pipelines.

What happens to an item depends on its seed alone, never on how many items or workers came
before. albumentations itself is imported when a pipeline is built: it costs over a second.
"""

import copy
import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from inspect import signature
from io import StringIO
from pathlib import Path
from typing import Any, cast

import numpy as np

from trainer.catalogue.data import AUGMENTATIONS, Preset
from trainer.data.collection import VOID
from trainer.data.geometry import UINT8
from trainer.names import unknown
from trainer.settings import Settings, load
from trainer.wording import counted
from trainer.yaml_files import read_yaml

Seed = int | Sequence[int]
Augment = Callable[[UINT8, UINT8, Seed], tuple[UINT8, UINT8]]

# What albumentations raises on wrong arguments, and on transforms that want other targets.
MISUSED = (ValueError, TypeError, KeyError, NotImplementedError)
TRIES = 8

# Transforms that a pipeline file may not name, and why.
REFUSED = {
    "Lambda": "runs code",
    "ToTensorV2": "makes tensors, which loading does itself",
    "ToTensor3D": "makes tensors, which loading does itself",
    "Normalize": "normalises, which is set by normalisation",
    "ToFloat": "makes floats; images stay uint8",
    "FromFloat": "wants floats; images stay uint8",
    "TextImage": "reads a font file and needs metadata that there is none of",
    "FDA": "needs other images",
    "HistogramMatching": "needs other images",
    "PixelDistributionAdaptation": "needs other images",
    "OverlayElements": "needs other images",
    "Mosaic": "needs other images",
}


def build_augmentation(name: str, settings: Settings) -> Augment:
    """Return the function ``(image, target, seed) -> (image, target)`` of a preset or YAML file.

    ``seed`` is a whole number, at least 0, or several; the result depends on it alone. Masks
    go through nearest neighbour, and pixels that a transform moves in from outside are
    `VOID`. ``settings`` are those of the preset; a file has its own. Raises ``ValueError`` for an
    unknown preset and for a file that is no pipeline of albumentations or names a transform of
    `REFUSED`.
    """
    return _unchanged if name == "none" else Augmentation(_pipeline(name, settings))


def written_augmentation(name: str, settings: Settings) -> str | None:
    """Return a preset's or file's pipeline, as it is used, as `build_augmentation` reads a file.

    None where nothing is augmented.
    """
    if name == "none":
        return None
    written = StringIO()
    _albumentations().save(_pipeline(name, settings), written, data_format="yaml")
    return written.getvalue()


def check_augmentation(
    name: str, settings: Settings, size: tuple[int, int], channels: int = 3
) -> None:
    """Try a pipeline on an image of ``size``, height and width; ``ValueError`` when it fails.

    A file may ask for crops larger than the images, which shows only when it is used. Where an
    image has other than three ``channels`` each transform is tried alone, and named.
    """
    augment = build_augmentation(name, settings)
    if channels != 3 and isinstance(augment, Augmentation):
        _check_channels(name, augment, size, channels)
    image, target = np.zeros((*size, channels), np.uint8), np.zeros(size, np.uint8)
    for seed in range(TRIES):
        try:
            augment(image, target, seed)
        except Exception as error:
            reason = _reason(error).removeprefix("augment: ")
            shape = f"{size[0]} x {size[1]}"
            raise ValueError(f"augment: {name}: {reason} (images are {shape})") from error


def _check_channels(name: str, augment: "Augmentation", size: tuple[int, int], count: int) -> None:
    few, colours = np.zeros((*size, count), np.uint8), np.zeros((*size, 3), np.uint8)
    for transform, alone in augment.transforms():
        # A crop that wants larger images fails either way where it is alone.
        if not _takes(alone, few) and _takes(alone, colours):
            problem = f"{transform} does not take images of {counted(count, 'channel')}"
            raise ValueError(f"augment: {name}: {problem}; leave it out")


def _takes(augment: "Augmentation", image: UINT8) -> bool:
    with suppress(Exception):
        for seed in range(TRIES):
            augment(image, np.zeros(image.shape[:2], np.uint8), seed)
        return True
    return False


class Augmentation:
    """An albumentations pipeline that is seeded anew for every item."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline

    def __call__(self, image: UINT8, target: UINT8, seed: Seed) -> tuple[UINT8, UINT8]:
        """Return both transformed alike; ``ValueError`` when they are no longer an image pair."""
        sequence = np.random.SeedSequence(seed)
        words = sequence.generate_state(2, np.uint64)
        # One pair of generators for all transforms. `set_random_seed` would start each with the
        # same numbers: those of equal probability would all happen together or not at all.
        self._pipeline.set_random_state(
            np.random.Generator(np.random.PCG64(sequence)), random.Random(int(words[1]))
        )
        # Copies, since some transforms write into what they are given.
        try:
            result = self._pipeline(image=image.copy(), mask=target.copy())
        except MISUSED as error:
            raise ValueError(f"augment: the pipeline cannot be used: {_reason(error)}") from error
        return _checked(result["image"], result["mask"], image.shape[2])

    def transforms(self) -> Iterator[tuple[str, "Augmentation"]]:
        """Yield each transform of the pipeline by its name, alone and always done."""
        library = _albumentations()
        for transform in _flat(self._pipeline):
            if isinstance(transform, library.BasicTransform):
                always = copy.deepcopy(transform)
                always.p = 1.0
                yield type(transform).__name__, Augmentation(library.Compose([always]))


def _unchanged(image: UINT8, target: UINT8, seed: Seed) -> tuple[UINT8, UINT8]:
    del seed
    return image, target


def _checked(image: Any, target: Any, channels: int) -> tuple[UINT8, UINT8]:
    whole = image.ndim == 3 and image.shape[2] == channels and image.shape[:2] == target.shape
    if not whole or image.dtype != np.uint8 or target.dtype != np.uint8:
        raise ValueError(
            f"augment: the pipeline made an image {image.dtype} {image.shape} and a mask "
            f"{target.dtype} {target.shape}; both must stay uint8 and of one size"
        )
    return np.ascontiguousarray(image), np.ascontiguousarray(target)


def _pipeline(name: str, settings: Settings) -> Any:
    if name.endswith((".yaml", ".yml")):
        try:
            pipeline = _from_file(Path(name))
        except ValueError as error:
            raise ValueError(f"augment: {error}") from error
    else:
        transforms = load("augment", name, AUGMENTATIONS)(settings)
        pipeline = _albumentations().Compose(transforms)
    for transform in _flat(pipeline):
        if hasattr(transform, "mask_interpolation"):
            transform.mask_interpolation = 0  # nearest: no label in between is invented
        if getattr(transform, "fill_mask", None) == 0:
            transform.fill_mask = float(VOID)  # what comes in from outside has no label
    return pipeline


def none(_settings: Settings) -> list[Any]:
    """Change nothing."""
    return []


def flips(settings: Preset) -> list[Any]:
    """Mirror left and right, up and down."""
    a, p = _albumentations(), settings.augment_probability
    return [a.HorizontalFlip(p=p), a.VerticalFlip(p=p)]


def light(settings: Preset) -> list[Any]:
    """Mirror, shift a little, and change the light."""
    a, p = _albumentations(), settings.augment_probability
    shift = a.Affine(translate_percent=(-0.06, 0.06), scale=(0.9, 1.1), rotate=(-10, 10), p=p)
    return [a.HorizontalFlip(p=p), shift, a.RandomBrightnessContrast(p=p)]


def report_4(settings: Preset) -> list[Any]:
    """Return what the report on pets used."""
    a, p = _albumentations(), settings.augment_probability
    shift = a.Affine(translate_percent=(-0.06, 0.06), scale=(0.9, 1.1), rotate=(-45, 45), p=p)
    jitter = a.HueSaturationValue(p=p)
    return [
        *(a.HorizontalFlip(p=p), a.VerticalFlip(p=p), shift),
        *(a.RandomBrightnessContrast(p=p), jitter, a.GaussianBlur(sigma_limit=(0.5, 1.5), p=p)),
    ]


def report_2(settings: Preset) -> list[Any]:
    """Return what the report on scenes used."""
    a, p = _albumentations(), settings.augment_probability
    jitter = a.ColorJitter(hue=(-0.1, 0.1), p=p)
    return [a.HorizontalFlip(p=p), jitter, a.Rotate(limit=(-15, 15), p=p)]


def strong(settings: Preset) -> list[Any]:
    """Mirror, distort, jitter, blur and cut out."""
    a, p = _albumentations(), settings.augment_probability
    return [
        a.HorizontalFlip(p=p),
        a.Affine(
            translate_percent=(-0.1, 0.1), scale=(0.7, 1.4), rotate=(-30, 30), shear=(-10, 10), p=p
        ),
        a.OneOf([a.ElasticTransform(alpha=40, sigma=6, p=1), a.GridDistortion(p=1)], p=p),
        a.ColorJitter((0.6, 1.4), (0.6, 1.4), (0.6, 1.4), (-0.1, 0.1), p=p),
        a.OneOf([a.GaussNoise((0.02, 0.1), p=1), a.GaussianBlur(p=1), a.MotionBlur(p=1)], p=p),
        a.CoarseDropout((1, 4), fill="random_uniform", fill_mask=VOID, p=p),
    ]


def _from_file(path: Path) -> Any:
    """Read a pipeline as ``albumentations.save(…, data_format="yaml")`` writes it."""
    stored = read_yaml(path)
    if not isinstance(stored.get("transform"), dict):
        raise ValueError(
            f"{path}: holds no pipeline; write one with albumentations.save(pipeline, "
            "path, data_format='yaml')"
        )
    library = _albumentations()
    try:
        for entry in _entries(stored["transform"]):
            _check_allowed(entry)
        pipeline = library.from_dict(stored)
        # A lone transform has no `image=, mask=` checks and no seeding of its own.
        return pipeline if isinstance(pipeline, library.Compose) else library.Compose([pipeline])
    except (*MISUSED, AttributeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"{path}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _check_allowed(entry: dict[str, Any]) -> None:
    from albumentations.core.serialization import SERIALIZABLE_REGISTRY

    name = entry.get("__class_fullname__")
    if not isinstance(name, str):
        raise ValueError("a transform has no __class_fullname__")
    short = name.rsplit(".", 1)[-1]
    if short in REFUSED:
        raise ValueError(f"{short} is not allowed: it {REFUSED[short]}")
    known = SERIALIZABLE_REGISTRY.get(short)
    if known is None or not known.__module__.startswith("albumentations."):
        raise ValueError(f"{name} is no transform of albumentations")
    # albumentations itself warns of an argument that it does not know, and goes on without it.
    for argument in sorted(entry.keys() - {"__class_fullname__", *signature(known).parameters}):
        raise ValueError(f"{short}: {unknown('argument', argument, signature(known).parameters)}")


def _entries(entry: Any) -> Iterator[dict[str, Any]]:
    """Yield the description of a transform and of all transforms inside it."""
    if not isinstance(entry, dict):
        raise ValueError(f"{entry!r} is no transform")
    yield entry
    for inner in entry.get("transforms") or []:
        yield from _entries(inner)


def _flat(transform: Any) -> Iterator[Any]:
    yield transform
    for inner in getattr(transform, "transforms", None) or []:
        yield from _flat(inner)


def _albumentations() -> Any:
    # Before the import, which otherwise asks the network for a newer version.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    import albumentations
    import cv2

    # Its own threads gain nothing on small images, compete with the workers, and a pool of them
    # does not survive the fork that starts a worker.
    cv2.setNumThreads(0)
    return cast(Any, albumentations)

"""How data is read, prepared and kept."""

from dataclasses import dataclass
from typing import Annotated

from trainer.models import LARGEST
from trainer.settings import Component, Settings, require, switch

# Tried in this order, from the most particular to the general.
LAYOUTS = {
    "pairs": "trainer.data.layouts.pairs_file:LAYOUT",
    "turntable": "trainer.data.layouts.turntable:LAYOUT",
    "carvana": "trainer.data.layouts.carvana:LAYOUT",
    "camvid": "trainer.data.layouts.camvid:LAYOUT",
    "voc": "trainer.data.layouts.voc:LAYOUT",
    "cityscapes": "trainer.data.layouts.cityscapes:LAYOUT",
    "ade20k": "trainer.data.layouts.ade20k:LAYOUT",
    "pets": "trainer.data.layouts.pets:LAYOUT",
    "drive": "trainer.data.layouts.drive:LAYOUT",
    "isbi": "trainer.data.layouts.isbi:LAYOUT",
    "kvasir": "trainer.data.layouts.kvasir:LAYOUT",
    "dsb2018": "trainer.data.layouts.dsb:LAYOUT",
    "coco": "trainer.data.layouts.coco:LAYOUT",
    "labelme": "trainer.data.layouts.labelme:LAYOUT",
    "folders": "trainer.data.layouts.folders:LAYOUT",
}


@dataclass(frozen=True, kw_only=True)
class Sized(Settings):
    """Of a geometry that brings images to a size."""

    image_size: Annotated[tuple[int, int], "HEIGHT WIDTH"] = (160, 240)
    """Height, then width, that the network sees, in pixels."""

    def __post_init__(self) -> None:
        size = self.image_size
        require("image_size", size, min(size) >= 8, "is too small; give at least 8 8")
        require("image_size", size, size[0] * size[1] <= LARGEST, f"is above {LARGEST:,} pixels")


GEOMETRIES = {
    "resize": Component(Sized, about="the whole image, scaled"),
    "pad": Component(about="the image at its own scale, padded"),
    "random-crop": Component(Sized, about="crops at the image's own scale; whole when validating"),
    "five-crop": Component(Sized, about="the four corners and the centre; whole when validating"),
}


@dataclass(frozen=True, kw_only=True)
class Preset(Settings):
    """Of a preset of augmentations."""

    augment_probability: float = 0.5
    """Probability of each augmentation of the preset, from 0 to 1."""

    def __post_init__(self) -> None:
        probability = self.augment_probability
        require("augment_probability", probability, 0 <= probability <= 1, "must lie in 0 to 1")


AUGMENTATIONS = {
    "none": Component(place="trainer.data.augment:none", about="images as they are"),
    "flips": Component(
        Preset,
        "trainer.data.augment:flips",
        "left-right and up-down",
    ),
    "light": Component(
        Preset,
        "trainer.data.augment:light",
        about="left-right, small shifts, scales and turns, brightness and contrast",
    ),
    "report-4": Component(
        Preset,
        "trainer.data.augment:report_4",
        about="flips, shifts, scales, turns to 45 degrees, colour, blur; made for p = 0.2",
    ),
    "report-2": Component(
        Preset,
        "trainer.data.augment:report_2",
        about="left-right, colour jitter, turns to 15 degrees",
    ),
    "strong": Component(
        Preset,
        "trainer.data.augment:strong",
        about="distortions, strong colour jitter, noise, blur, rectangles dropped",
    ),
}


@dataclass(frozen=True, kw_only=True)
class CacheOnDisk(Settings):
    """Of the cache on disk."""

    cache_limit_gib: float = 10.0
    """Size that the cache on disk may reach before the oldest entries go, in GiB."""

    def __post_init__(self) -> None:
        limit = self.cache_limit_gib
        require("cache_limit_gib", limit, limit > 0, "must be above 0")


CACHES = {
    "disk": Component(CacheOnDisk, about="a memory map on the disk, kept for later runs"),
    "ram": Component(about="in memory, as long as the run lasts"),
    "off": Component(about="nowhere: every image is decoded each time"),
}


@dataclass(frozen=True, kw_only=True)
class Fold(Settings):
    """Of a split into folds."""

    fold: int = 0
    """Which fold validates, counted from 0."""


FOLDS = switch(Fold)

NORMALISATIONS = {
    "dataset": "mean and standard deviation of the training images",
    "imagenet": "those of ImageNet, which backbones of it have learnt with; of 3 channels",
    "none": "values from 0 to 1 as they are",
}

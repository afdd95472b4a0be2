"""The tables of names: what each stands for, without importing it, and the settings it reads.

To add a loss, an optimiser, a schedule, a layout or a preset, write its module or function and
add one line here (and one in its test table), with a dataclass of its settings where no other
has the same. An unknown name's error lists these. The architectures' table is
`trainer.models.MODELS`, because it travels with every registered model.
"""

import math
from dataclasses import dataclass

from trainer.models import LARGEST
from trainer.names import check
from trainer.settings import Component, Settings, require, switch

CLASS_WEIGHTS = ("none", "inverse", "median-frequency", "effective-number")


@dataclass(frozen=True, kw_only=True)
class WeightedLoss(Settings):
    """Of a loss that weighs the classes."""

    class_weights: str = "none"
    """Weights of the classes in the loss, from their share of the training pixels."""

    def __post_init__(self) -> None:
        check("class_weights", self.class_weights, CLASS_WEIGHTS)


@dataclass(frozen=True, kw_only=True)
class SmoothedLoss(WeightedLoss):
    """Of a cross-entropy."""

    label_smoothing: float = 0.0
    """Share of a pixel's label that is spread over all classes."""

    def __post_init__(self) -> None:
        super().__post_init__()
        share = self.label_smoothing
        require("label_smoothing", share, 0 <= share < 1, "must be at least 0 and below 1")


@dataclass(frozen=True, kw_only=True)
class FocalLoss(WeightedLoss):
    """Of the focal loss."""

    focal_gamma: float = 2.0
    """How much less a pixel counts that is right already; 0 is cross-entropy."""

    def __post_init__(self) -> None:
        super().__post_init__()
        gamma = self.focal_gamma
        require("focal_gamma", gamma, 0 <= gamma <= 10, "must lie in 0 to 10")


@dataclass(frozen=True, kw_only=True)
class TverskyLoss(Settings):
    """Of the Tversky loss."""

    tversky_beta: float = 0.7
    """What a missed pixel counts; an invented one counts 1 less it. At 0.5 it is the Dice loss."""

    def __post_init__(self) -> None:
        beta = self.tversky_beta
        require("tversky_beta", beta, 0 < beta < 1, "must lie between 0 and 1")


LOSSES = {
    "auto": Component(SmoothedLoss, "trainer.network.pixel_losses:auto"),
    "bce": Component(SmoothedLoss, "trainer.network.pixel_losses:bce"),
    "cross-entropy": Component(SmoothedLoss, "trainer.network.pixel_losses:cross_entropy"),
    "focal": Component(FocalLoss, "trainer.network.pixel_losses:focal"),
    "hinge": Component(place="trainer.network.pixel_losses:hinge"),
    "dice": Component(place="trainer.network.region_losses:dice"),
    "jaccard": Component(place="trainer.network.region_losses:jaccard"),
    "tversky": Component(TverskyLoss, "trainer.network.region_losses:tversky"),
    "lovasz": Component(place="trainer.network.region_losses:lovasz"),
}


def loss_terms(loss: str) -> list[tuple[float, str]]:
    """Return factor and name of each term of a loss, such as ``0.5*bce+dice``.

    Raises ``ValueError`` when it is written otherwise, or has a name that is not in `LOSSES`.
    """
    terms = []
    for term in loss.split("+"):
        factor, star, name = term.rpartition("*")
        check("loss", name.strip(), LOSSES)
        try:
            times = float(factor) if star else 1.0
        except ValueError:
            raise ValueError(f"loss: {factor!r} in {loss!r} is no number") from None
        require("loss", times, 0 < times < math.inf, f"in {loss!r} must be a positive number")
        terms.append((times, name.strip()))
    names = [name for _, name in terms]
    require("loss", loss, len(set(names)) == len(names), "names one twice")
    return terms


@dataclass(frozen=True, kw_only=True)
class Descent(Settings):
    """Of every optimiser."""

    lr: float = 1e-3
    """Learning rate."""
    weight_decay: float = 0.0
    """L2 penalty on the weights; decoupled with adamw."""
    decay_norms: bool = True
    """Let weight_decay shrink biases and what normalisations learn too."""

    def __post_init__(self) -> None:
        require("lr", self.lr, 0 < self.lr < math.inf, "must be a positive number, such as 1e-3")
        decay = self.weight_decay
        require("weight_decay", decay, 0 <= decay < math.inf, "must be at least 0")


@dataclass(frozen=True, kw_only=True)
class DescentWithMomentum(Descent):
    """Of an optimiser with momentum."""

    momentum: float = 0.9
    """Momentum of the optimiser."""

    def __post_init__(self) -> None:
        super().__post_init__()
        momentum = self.momentum
        require("momentum", momentum, 0 <= momentum < 1, "must be at least 0 and below 1")


@dataclass(frozen=True, kw_only=True)
class StochasticDescent(DescentWithMomentum):
    """Of stochastic gradient descent."""

    nesterov: bool = False
    """Take the gradient where the momentum leads, as Nesterov does."""

    def __post_init__(self) -> None:
        super().__post_init__()
        moves = self.momentum > 0 or not self.nesterov
        require("momentum", self.momentum, moves, "must be above 0 with nesterov")


OPTIMIZERS = {
    "adam": Component(Descent, "trainer.training.optimizers:adam"),
    "adamw": Component(Descent, "trainer.training.optimizers:adamw"),
    "adamax": Component(Descent, "trainer.training.optimizers:adamax"),
    "nadam": Component(Descent, "trainer.training.optimizers:nadam"),
    "sgd": Component(StochasticDescent, "trainer.training.optimizers:sgd"),
    "rmsprop": Component(DescentWithMomentum, "trainer.training.optimizers:rmsprop"),
}


@dataclass(frozen=True, kw_only=True)
class Lowered(Settings):
    """Of a schedule that lowers the learning rate by a factor, time and again."""

    schedule_factor: float = 0.5
    """What the learning rate is multiplied by each time it is lowered."""

    def __post_init__(self) -> None:
        factor = self.schedule_factor
        require("schedule_factor", factor, 0 < factor < 1, "must lie between 0 and 1")


@dataclass(frozen=True, kw_only=True)
class Plateau(Lowered):
    """Of the schedule that waits for the score."""

    schedule_patience: int = 3
    """Epochs without a better score that the learning rate waits for before it is lowered."""

    def __post_init__(self) -> None:
        super().__post_init__()
        patience = self.schedule_patience
        require("schedule_patience", patience, patience >= 0, "must be at least 0")


@dataclass(frozen=True, kw_only=True)
class Steps(Lowered):
    """Of the schedule that lowers the learning rate every few epochs."""

    schedule_every: int = 10
    """Epochs after which the learning rate is lowered."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            "schedule_every", self.schedule_every, self.schedule_every >= 1, "must be at least 1"
        )


@dataclass(frozen=True, kw_only=True)
class Polynomial(Settings):
    """Of the polynomial schedule."""

    schedule_power: float = 0.9
    """Power of what is left of the run that the learning rate is multiplied by."""

    def __post_init__(self) -> None:
        power = self.schedule_power
        require("schedule_power", power, 0 < power <= 10, "must be above 0 and at most 10")


@dataclass(frozen=True, kw_only=True)
class InverseTime(Settings):
    """Of the schedule that Keras' optimisers had as their decay."""

    schedule_decay: float = 1e-3
    """Decay d of the learning rate, which is divided by 1 + d times the steps so far."""

    def __post_init__(self) -> None:
        decay = self.schedule_decay
        require("schedule_decay", decay, 0 <= decay < math.inf, "must be at least 0")


SCHEDULES = {
    "constant": Component(place="trainer.training.schedules:constant"),
    "cosine": Component(place="trainer.training.schedules:cosine"),
    "inverse-time": Component(InverseTime, "trainer.training.schedules:inverse_time"),
    "one-cycle": Component(place="trainer.training.schedules:one_cycle"),
    "plateau": Component(Plateau, "trainer.training.schedules:plateau"),
    "polynomial": Component(Polynomial, "trainer.training.schedules:polynomial"),
    "step": Component(Steps, "trainer.training.schedules:step"),
}

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

    image_size: tuple[int, int] = (160, 240)
    """Height, then width, that the network sees, in pixels."""

    def __post_init__(self) -> None:
        size = self.image_size
        require("image_size", size, min(size) >= 8, "is too small; give at least 8 8")
        require("image_size", size, size[0] * size[1] <= LARGEST, f"is above {LARGEST:,} pixels")


GEOMETRIES = {
    "resize": Component(Sized),  # the whole image, scaled
    "pad": Component(),  # the image at its own scale, padded
    "random-crop": Component(Sized),  # crops at the image's own scale; whole when validating
    "five-crop": Component(Sized),  # the four corners and the centre; whole when validating
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
    "none": Component(place="trainer.data.augment:none"),
    "flips": Component(Preset, "trainer.data.augment:flips"),
    "light": Component(Preset, "trainer.data.augment:light"),
    "report-4": Component(Preset, "trainer.data.augment:report_4"),
    "report-2": Component(Preset, "trainer.data.augment:report_2"),
    "strong": Component(Preset, "trainer.data.augment:strong"),
}


@dataclass(frozen=True, kw_only=True)
class CacheOnDisk(Settings):
    """Of the cache on disk."""

    cache_limit_gib: float = 10.0
    """Size that the cache on disk may reach before the oldest entries go, in GiB."""

    def __post_init__(self) -> None:
        limit = self.cache_limit_gib
        require("cache_limit_gib", limit, limit > 0, "must be above 0")


CACHES = {"disk": Component(CacheOnDisk), "ram": Component(), "off": Component()}


@dataclass(frozen=True, kw_only=True)
class Fold(Settings):
    """Of a split into folds."""

    fold: int = 0
    """Which fold validates, counted from 0."""


@dataclass(frozen=True, kw_only=True)
class EarlyStop(Settings):
    """Of a run that stops early."""

    min_delta: float = 0.0
    """How much better a score must be to count for patience."""

    def __post_init__(self) -> None:
        delta = self.min_delta
        require("min_delta", delta, 0 <= delta < 1, "must be at least 0 and below 1")


FOLDS, PATIENCE = switch(Fold), switch(EarlyStop)

NORMALISATIONS = ("dataset", "imagenet", "none")
PRECISIONS = ("auto", "float32", "bfloat16")
# No auto: what a score means must not hang on the machine that computed it.
EVAL_PRECISIONS = ("float32", "bfloat16")

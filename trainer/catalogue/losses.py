"""Losses."""

import math
from dataclasses import dataclass
from typing import Annotated

from trainer.names import check
from trainer.settings import Component, Settings, require

CLASS_WEIGHTS = {
    "none": "every class counts the same",
    "inverse": "one over a class's share of the pixels",
    "median-frequency": "the median of the shares over a class's own (Eigen and Fergus 2015)",
    "effective-number": "by how many pixels tell something new (Cui et al. 2019)",
}


@dataclass(frozen=True, kw_only=True)
class WeightedLoss(Settings):
    """Of a loss that weighs the classes."""

    class_weights: Annotated[str, CLASS_WEIGHTS] = "none"
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
    "auto": Component(
        SmoothedLoss,
        "trainer.network.pixel_losses:auto",
        about="bce for two classes, cross-entropy for more",
    ),
    "bce": Component(
        SmoothedLoss,
        "trainer.network.pixel_losses:bce",
        about="binary cross-entropy, from one channel",
    ),
    "cross-entropy": Component(
        SmoothedLoss,
        "trainer.network.pixel_losses:cross_entropy",
        about="cross-entropy, from a channel a class",
    ),
    "focal": Component(
        FocalLoss,
        "trainer.network.pixel_losses:focal",
        about="cross-entropy of what is not right yet (Lin et al. 2017)",
    ),
    "hinge": Component(
        place="trainer.network.pixel_losses:hinge",
        about="categorical hinge of probabilities, as Keras has it",
    ),
    "dice": Component(
        place="trainer.network.region_losses:dice", about="1 - soft Dice of each image"
    ),
    "jaccard": Component(
        place="trainer.network.region_losses:jaccard", about="1 - soft IoU of each image"
    ),
    "tversky": Component(
        TverskyLoss,
        "trainer.network.region_losses:tversky",
        about="1 - Tversky's index: missed and invented pixels weighed apart (Salehi et al. 2017)",
    ),
    "lovasz": Component(
        place="trainer.network.region_losses:lovasz",
        about="IoU, extended to probabilities (Berman et al. 2018)",
    ),
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

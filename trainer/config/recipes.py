"""Named configurations: the demo, the settings of published reports, and what we would use.

What a report does not say is as by default.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainer.config import TrainConfig
from trainer.config.parsing import from_mapping
from trainer.names import check


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A configuration, by what it has other than by default, and a line about it."""

    about: str
    values: Mapping[str, Any]


# One setting of the first report's grid on Carvana.
CARVANA_GRID = {
    "image_size": (160, 240),
    "base_channels": 64,
    "epochs": 10,
    "lr": 1e-4,
    "batch_size": 16,
    "kernel_size": 3,
}
CARVANA_TENTH = {
    "image_size": (640, 959),
    "base_channels": 64,
    "epochs": 5,
    "lr": 1e-5,
    "batch_size": 1,
    "optimizer": "rmsprop",
    "momentum": 0.999,
    "weight_decay": 1e-8,
    "gradient_clip": 1.0,
    "fraction": 0.1,
}

RECIPES = {
    "demo": Recipe(
        about="small enough that a laptop's processor trains it in a minute",
        values={
            "image_size": (64, 96),
            "base_channels": 8,
            "epochs": 11,
            "lr": 3e-3,
            "batch_size": 4,
            "schedule": "cosine",
            "experiment": "demo",
        },
    ),
    "report-0": Recipe(
        about="Carvana at 240 x 160: one setting of the sweep report-0-grid", values=CARVANA_GRID
    ),
    "report-1": Recipe(
        about="a tenth of Carvana with RMSprop, momentum 0.999 and a batch of one",
        values=CARVANA_TENTH,
    ),
    "report-2": Recipe(
        about="scenes of ten classes: a six-level U-Net, five crops, plateau, early stopping",
        values={
            "model": "unet-deep",
            "geometry": "five-crop",
            "augment": "report-2",
            "schedule": "plateau",
            "epochs": 50,
            "patience": 10,
            "monitor": "val/miou",
            "batch_size": 8,
        },
    ),
    "report-3": Recipe(
        about="VOC 2012 with the U-Net that the report calls original",
        values={
            "model": "unet-original",
            "image_size": (224, 224),
            "loss": "cross-entropy",
            "lr": 1e-4,
            "epochs": 50,
            "monitor": "val/miou",
        },
    ),
    "report-4": Recipe(
        about="pets at 64 pixels, binary cross-entropy, early stopping, augmented with p = 0.2",
        values={
            "image_size": (64, 64),
            "loss": "bce",
            "epochs": 50,
            "patience": 5,
            "augment": "report-4",
            "augment_probability": 0.2,
        },
    ),
    "carvana": Recipe(
        about="Carvana, as we would train it: 480 x 320, a sum of losses, one cycle",
        values={
            "image_size": (320, 480),
            "loss": "bce+dice",
            "optimizer": "adamw",
            "lr": 2e-3,
            "weight_decay": 1e-4,
            "decay_norms": False,
            "schedule": "one-cycle",
            "augment": "light",
            "batch_size": 8,
            "epochs": 20,
        },
    ),
    "voc": Recipe(
        about="VOC, as we would train it from nothing: DeepLabv3+, crops, polynomial",
        values={
            "model": "deeplabv3plus",
            "geometry": "random-crop",
            "image_size": (320, 320),
            "loss": "cross-entropy+lovasz",
            "optimizer": "adamw",
            "lr": 5e-4,
            "weight_decay": 1e-2,
            "decay_norms": False,
            "schedule": "polynomial",
            "warmup_epochs": 2,
            "augment": "strong",
            "batch_size": 16,
            "epochs": 200,
            "monitor": "val/miou",
        },
    ),
    "camvid": Recipe(
        about="CamVid, as we would train it: rare classes weighed, crops, one cycle",
        values={
            "geometry": "random-crop",
            "image_size": (240, 320),
            "loss": "cross-entropy+dice",
            "class_weights": "median-frequency",
            "optimizer": "adamw",
            "weight_decay": 1e-2,
            "decay_norms": False,
            "schedule": "one-cycle",
            "augment": "light",
            "batch_size": 4,
            "epochs": 150,
            "monitor": "val/miou",
        },
    ),
    "pets": Recipe(
        about="pets, as we would train them: 128 pixels, a sum of losses, one cycle",
        values={
            "image_size": (128, 128),
            "loss": "bce+dice",
            "optimizer": "adamw",
            "weight_decay": 1e-4,
            "decay_norms": False,
            "schedule": "one-cycle",
            "augment": "light",
            "epochs": 30,
        },
    ),
    "carvana-grid": Recipe(about="an earlier name of report-0", values=CARVANA_GRID),
    "carvana-tenth": Recipe(about="an earlier name of report-1", values=CARVANA_TENTH),
}


def recipe(name: str) -> TrainConfig:
    """Return the named configuration; ``ValueError`` listing the known ones otherwise."""
    check("recipe", name, RECIPES)
    return from_mapping(RECIPES[name].values)

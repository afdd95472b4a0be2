"""Named configurations: the demo, and the settings of published reports."""

from typing import Any

from trainer.config import TrainConfig
from trainer.config.parsing import from_mapping
from trainer.names import check

RECIPES: dict[str, dict[str, Any]] = {
    # Small enough that a laptop's processor trains it in a minute.
    "demo": {
        "image_size": (64, 96),
        "base_channels": 8,
        "epochs": 11,
        "lr": 3e-3,
        "batch_size": 4,
        "schedule": "cosine",
        "experiment": "demo",
    },
    # The grid on Carvana at 240 x 160: one of its settings; its search varies lr, batch, kernel.
    "carvana-grid": {
        "image_size": (160, 240),
        "base_channels": 64,
        "epochs": 10,
        "lr": 1e-4,
        "batch_size": 16,
        "kernel_size": 3,
    },
    # A tenth of Carvana with momentum 0.999 and a batch of one.
    "carvana-tenth": {
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
    },
}


def recipe(name: str) -> TrainConfig:
    """Return the named configuration; ``ValueError`` listing the known ones otherwise."""
    check("recipe", name, RECIPES)
    return from_mapping(RECIPES[name])

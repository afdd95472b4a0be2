"""Small model folders and pictures for the tests that predict."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from trainer.models import build_model

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


def network(out_channels: int) -> nn.Module:
    torch.manual_seed(5)
    model: nn.Module = build_model(
        "unet", out_channels=out_channels, base_channels=4, depth=2, kernel_size=3
    )
    # Statistics of its own, as after training.
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 2)  # type: ignore[arg-type]
    model.eval()
    # As many pixels on one side as on the other: an untrained network prefers one class.
    with torch.no_grad():
        pixels = torch.tensor(picture(40, 56) / 255.0, dtype=torch.float32).permute(2, 0, 1)
        centred = model((pixels[None] - torch.tensor(MEAN).view(3, 1, 1)) / 0.25)
        model.last.bias -= centred.median(dim=-1).values.median(dim=-1).values[0]  # type: ignore[union-attr, operator]
    return model


def model_folder(
    folder: Path, *, out_channels: int = 1, geometry: str = "resize", **changes: Any
) -> Path:
    """Write a model folder as the registry does and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(network(out_channels).state_dict(), folder / "model.safetensors")
    settings = {
        "out_channels": out_channels,
        "base_channels": 4,
        "depth": 2,
        "kernel_size": 3,
    }
    classes = max(out_channels, 2)
    config = {
        "format": 1,
        "model": {"name": "unet", "settings": settings},
        "classes": [{"name": f"c{i}", "colour": [i, i, 9]} for i in range(classes)],
        "image_size": [40, 56],
        "geometry": geometry,
        "mean": MEAN,
        "std": STD,
        **changes,
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return a smooth image with some noise, ``uint8 (height, width, 3)``."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (6, 8, 3)).astype(np.uint8)
    large = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    return np.clip(np.array(large) + random.normal(0, 9, (height, width, 3)), 0, 255).astype(
        np.uint8
    )

"""A folder of two classes that a small network tells apart: flat and upright ellipses."""

from pathlib import Path

import numpy as np
from PIL import Image

RADII = {"cat": (5, 12), "dog": (12, 5)}


def drawn(name: str, seed: int) -> Image.Image:
    """Return an image of ``name``, 32 x 40 pixels."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:32, :40]
    middle, radii = random.uniform([14, 16], [18, 24]), RADII[name]
    inside = ((rows - middle[0]) / radii[0]) ** 2 + ((columns - middle[1]) / radii[1]) ** 2 < 1
    image = random.normal(70, 12, (32, 40, 3)) + inside[..., None] * random.uniform(80, 120)
    return Image.fromarray(image.clip(0, 255).astype(np.uint8))


def draw(root: Path, *, cats: int = 16, dogs: int = 12) -> Path:
    """Write a folder a class below ``root`` and return it."""
    for name, count, first in (("cat", cats, 0), ("dog", dogs, 1000)):
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            drawn(name, first + number).save(root / name / f"{number:02d}.png")
    return root

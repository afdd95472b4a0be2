"""Write small made-up images and masks."""

import os
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from PIL import Image

from trainer.data.files.reading import read_pair

Colours = list[tuple[int, int, int]]


class Draw:
    """Files of 12 x 16 pixels (height x width), unless another size is given."""

    def photo(self, path: Path, size: tuple[int, int] = (12, 16)) -> Path:
        """Write an RGB image with enough colours to be no mask; ``size`` is height, width."""
        path.parent.mkdir(parents=True, exist_ok=True)
        seed = crc32(os.fsencode(path))
        pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    def mask(
        self, path: Path, values: tuple[int, ...] = (0, 1), size: tuple[int, int] = (12, 16)
    ) -> Path:
        """Write a grey mask whose columns cycle through ``values``."""
        path.parent.mkdir(parents=True, exist_ok=True)
        row = np.array(values, dtype=np.uint8)[np.arange(size[1]) % len(values)]
        Image.fromarray(np.tile(row, (size[0], 1))).save(path)
        return path

    def palette_mask(self, path: Path, values: tuple[int, ...], colours: Colours) -> Path:
        """Write a palette mask whose columns cycle through ``values``."""
        grey = self.mask(path.with_suffix(".png"), values)
        image = Image.open(grey).convert("L")
        indexed = Image.fromarray(np.asarray(image)).convert("P")
        indexed.putdata(list(image.get_flattened_data()))
        indexed.putpalette([channel for colour in colours for channel in colour])
        grey.unlink()
        indexed.save(path)
        return path

    def colour_mask(self, path: Path, colours: Colours) -> Path:
        """Write an RGB mask whose columns cycle through ``colours``."""
        path.parent.mkdir(parents=True, exist_ok=True)
        row = np.array(colours, dtype=np.uint8)[np.arange(16) % len(colours)]
        Image.fromarray(np.tile(row, (12, 1, 1))).save(path)
        return path

    def first_row(self, collection, columns: int = 4, pair: int = 0) -> list[int]:
        """Return the first labels of a pair's target, as the program reads it."""
        _, target = read_pair(collection.pairs[pair], collection.coding)
        return target[0, :columns].tolist()


@pytest.fixture
def draw() -> Draw:
    """Return the means to write made-up images and masks."""
    return Draw()


@pytest.fixture
def make_cars(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a data set in Carvana's layout: noise with one square."""

    def make(
        cars: int = 6,
        views: int = 3,
        size: tuple[int, int] | Callable[[int], tuple[int, int]] = (24, 36),
        folder: str = "cars",
        seed: int = 0,
    ) -> Path:
        root = tmp_path / folder
        random = np.random.default_rng(seed)
        for part in ("train", "train_masks"):
            (root / part).mkdir(parents=True)
        for number in range(cars * views):
            height, width = size(number) if callable(size) else size
            name = f"{number // views:012x}_{number % views + 1:02d}"
            image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
            mask = np.zeros((height, width), np.uint8)
            mask[height // 4 : height // 2, width // 4 : width // 2] = 1
            Image.fromarray(image).save(root / "train" / f"{name}.jpg", quality=95)
            Image.fromarray(mask, mode="P").save(root / "train_masks" / f"{name}_mask.gif")
        return root

    return make

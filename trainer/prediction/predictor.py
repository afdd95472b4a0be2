"""Image in, mask out, any size.

This file travels inside every registered model together with `arithmetic`, `models`, `names`,
`settings` and `data.geometry` (see `trainer.prediction.registry.SHIPPED`), so it needs torch,
numpy, Pillow and safetensors alone and imports its neighbours relatively. A model folder is read
as JSON and safetensors: nothing in it is executed.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..data.geometry import cut, resize_image, round_up, tiles
from ..network.arithmetic import DTYPES, Arithmetic
from .model_folder import load_network, read_model_config

# Above this many pixels an image at its own scale is predicted in overlapping windows.
WHOLE_IMAGE_PIXELS = 2048 * 2048
WINDOW = (1024, 1024)
# Above this many, 0.5 GB, the logits of an image's own size are never there all at once.
MOST_LOGITS = 2**27

Image = NDArray[np.uint8]
Mask = NDArray[np.uint8]


class Predictor:
    """A trained model, ready to predict.

    ``folder`` holds ``config.json`` (architecture, classes, size, normalisation, arithmetic) and
    ``model.safetensors``. ``precision`` is what it computes in, ``channels`` how many an image has
    and ``value_range`` the values of its files that became 0 and 255, if they were told. Raises
    ``ValueError`` when a file is missing or damaged.
    """

    def __init__(self, folder: Path, *, device: str = "cpu") -> None:
        config = read_model_config(folder)
        self.classes = list(config.classes)
        self.colours = list(config.colours)
        self._size = config.image_size if config.geometry == "resize" else None
        self.precision = config.precision
        self.channels = config.channels
        self.value_range = config.value_range
        self._arithmetic = Arithmetic(mean=config.mean, std=config.std, device=torch.device(device))
        network = load_network(folder, config)
        self._stride: int = network.stride  # type: ignore[assignment]
        self._model = self._arithmetic.place(network.eval())

    @torch.inference_mode()
    def predict(self, image: Image) -> Mask:
        """Return the class of each pixel, ``uint8 (height, width)``, of a ``uint8`` image."""
        self._check(image)
        height, width = image.shape[:2]
        if self._size is not None:
            return _largest_of_scaled(self._run(resize_image(image, self._size)), (height, width))
        mask = np.empty((height, width), np.uint8)
        for rows, columns, logits in self._parts(image):
            mask[rows, columns] = _largest(logits).cpu().numpy()
        return mask

    @torch.inference_mode()
    def probabilities(self, image: Image) -> NDArray[np.float32]:
        """Return each class's probability, ``float32 (classes, height, width)``, in 0 to 1."""
        self._check(image)
        height, width = image.shape[:2]
        if self._size is not None:
            logits = self._run(resize_image(image, self._size))
            return _shares(_scaled(logits, (height, width))).cpu().numpy()
        shares = np.empty((len(self.classes), height, width), np.float32)
        for rows, columns, logits in self._parts(image):
            shares[:, rows, columns] = _shares(logits).cpu().numpy()
        return shares

    def _check(self, image: Image) -> None:
        fits = image.ndim == 3 and image.shape[2] == self.channels and image.size
        if not fits or image.dtype != np.uint8:
            raise ValueError(
                f"image: want uint8 (height, width, {self.channels}), "
                f"got {image.dtype} {image.shape}"
            )

    def _parts(self, image: Image) -> Iterator[tuple[slice, slice, Tensor]]:
        """Yield rows, columns and their logits, which together are the image at its own scale."""
        height, width = image.shape[:2]
        if height * width <= WHOLE_IMAGE_PIXELS:
            whole = cut(image, 0, 0, round_up((height, width), self._stride))
            yield slice(0, height), slice(0, width), self._run(whole)[:, :height, :width]
            return
        window = round_up(WINDOW, self._stride)
        for tile in tiles((height, width), window, self._stride):
            logits = self._run(cut(image, tile.top, tile.left, window))
            rows = slice(tile.rows.start - tile.top, tile.rows.stop - tile.top)
            columns = slice(tile.columns.start - tile.left, tile.columns.stop - tile.left)
            yield tile.rows, tile.columns, logits[:, rows, columns]

    def _run(self, image: Image) -> Tensor:
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]
        logits = self._arithmetic.outputs(self._model, pixels, DTYPES[self.precision])[0][0]
        if not torch.isfinite(logits).all():
            # The largest of NaN is some class all the same.
            raise ValueError("model: it computes what is no number; its weights are damaged")
        return logits


def _scaled(logits: Tensor, size: tuple[int, int]) -> Tensor:
    # The logits, not the mask, are scaled back: edges stay smooth.
    return F.interpolate(logits[None], size=size, mode="bilinear", align_corners=False)[0]


def _largest(logits: Tensor) -> Tensor:
    if logits.shape[0] == 1:
        return (logits[0] > 0).to(torch.uint8)
    return logits.argmax(dim=0).to(torch.uint8)


def _largest_of_scaled(logits: Tensor, size: tuple[int, int]) -> Mask:
    """Return the class of each pixel, once the logits have that size.

    Where all of them together would be too large, they are scaled and compared class by class.
    """
    height, width = size
    if len(logits) * height * width <= MOST_LOGITS:
        return _largest(_scaled(logits, size)).cpu().numpy()
    best = torch.full((height, width), 0.0 if len(logits) == 1 else -torch.inf)
    mask = np.zeros((height, width), np.uint8)
    for first, logit in enumerate(logits, start=int(len(logits) == 1)):
        scaled = _scaled(logit[None], size)[0].cpu()
        mask[(scaled > best).numpy()] = first
        torch.maximum(best, scaled, out=best)
    return mask


def _shares(logits: Tensor) -> Tensor:
    if logits.shape[0] == 1:
        foreground = logits[0].sigmoid()
        return torch.stack([1 - foreground, foreground])
    return logits.softmax(dim=0)

"""Image in, mask out, any size.

This file travels inside every registered model together with `arithmetic`, `models`, `names`,
`settings` and `data.geometry` (see `trainer.prediction.registry.SHIPPED`), so it needs torch,
numpy, Pillow and safetensors alone and imports its neighbours relatively. A model folder is read
as JSON and safetensors: nothing in it is executed.
"""

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

    def predict(self, image: Image) -> Mask:
        """Return the class of each pixel, ``uint8 (height, width)``, of a ``uint8`` image."""
        logits = self._logits(image)
        if logits.shape[0] == 1:
            return (logits[0] > 0).to(torch.uint8).cpu().numpy()
        return logits.argmax(dim=0).to(torch.uint8).cpu().numpy()

    def probabilities(self, image: Image) -> NDArray[np.float32]:
        """Return each class's probability, ``float32 (classes, height, width)``, in 0 to 1."""
        logits = self._logits(image)
        if logits.shape[0] == 1:
            foreground = logits[0].sigmoid()
            return torch.stack([1 - foreground, foreground]).cpu().numpy()
        return logits.softmax(dim=0).cpu().numpy()

    @torch.inference_mode()
    def _logits(self, image: Image) -> Tensor:
        fits = image.ndim == 3 and image.shape[2] == self.channels and image.size
        if not fits or image.dtype != np.uint8:
            raise ValueError(
                f"image: want uint8 (height, width, {self.channels}), "
                f"got {image.dtype} {image.shape}"
            )
        height, width = image.shape[:2]
        if self._size is not None:
            logits = self._run(resize_image(image, self._size))
            # The logits, not the mask, are scaled back: edges stay smooth.
            return F.interpolate(
                logits[None], size=(height, width), mode="bilinear", align_corners=False
            )[0]
        if height * width <= WHOLE_IMAGE_PIXELS:
            whole = cut(image, 0, 0, round_up((height, width), self._stride))
            return self._run(whole)[:, :height, :width]
        return self._in_windows(image)

    def _in_windows(self, image: Image) -> Tensor:
        window = round_up(WINDOW, self._stride)
        height, width = image.shape[:2]
        stitched: Tensor | None = None
        for tile in tiles((height, width), window, self._stride):
            logits = self._run(cut(image, tile.top, tile.left, window))
            if stitched is None:
                stitched = logits.new_empty((logits.shape[0], height, width))
            rows = slice(tile.rows.start - tile.top, tile.rows.stop - tile.top)
            columns = slice(tile.columns.start - tile.left, tile.columns.stop - tile.left)
            stitched[:, tile.rows, tile.columns] = logits[:, rows, columns]
        assert stitched is not None  # tiles() covers every image by at least one.
        return stitched

    def _run(self, image: Image) -> Tensor:
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]
        logits = self._arithmetic.outputs(self._model, pixels, DTYPES[self.precision])[0][0]
        if not torch.isfinite(logits).all():
            # The largest of NaN is some class all the same.
            raise ValueError("model: it computes what is no number; its weights are damaged")
        return logits

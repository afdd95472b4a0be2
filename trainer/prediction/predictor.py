"""Image in, mask out, any size.

This file travels inside every registered model together with `arithmetic`, `models`, `names`,
`settings` and `data.geometry` (see `trainer.prediction.registry.SHIPPED`), so it needs torch,
numpy, Pillow and safetensors alone and imports its neighbours relatively. A model folder is read
as JSON and safetensors: nothing in it is executed.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ..data.geometry import cut, resize_image, round_up, tiles
from ..models import build_model
from ..names import check
from ..network.arithmetic import DTYPES, FLOAT32, Arithmetic

CONFIG, WEIGHTS = "config.json", "model.safetensors"
# 2 says what the model computes in; models of before have none, and compute in float32. 3 says
# which values of an image become black and white; those of before go by the type of the values.
FORMATS = (1, 2, 3)
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
        self.classes: list[str] = [entry["name"] for entry in config["classes"]]
        self.colours: list[tuple[int, ...]] = [tuple(e["colour"]) for e in config["classes"]]
        scales = config["geometry"] == "resize"
        self._size: tuple[int, int] | None = tuple(config["image_size"]) if scales else None
        self.precision = model_precision(config)
        self._arithmetic = Arithmetic(
            mean=config["mean"], std=config["std"], device=torch.device(device)
        )
        architecture = config["model"]
        model = build_model(architecture["name"], **architecture["settings"])
        self.channels = model_channels(config)
        ends = config.get("value_range")
        self.value_range = None if ends is None else (float(ends[0]), float(ends[1]))
        try:
            model.load_state_dict(load_file(folder / WEIGHTS))
        except (OSError, SafetensorError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"model: cannot load {folder / WEIGHTS}: {reason}") from error
        self._stride: int = model.stride
        self._model = self._arithmetic.place(model.eval())

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
        return self._arithmetic.outputs(self._model, pixels, DTYPES[self.precision])[0][0]


def model_precision(config: dict[str, Any]) -> str:
    """Return the arithmetic that a model folder's ``config.json`` asks for.

    Models of before it was kept have always predicted in ``float32``. Raises ``ValueError`` for
    one that is unknown.
    """
    precision = config.get("precision", FLOAT32)
    if not isinstance(precision, str):
        raise ValueError(f"model: precision {precision!r} is no name; known: {', '.join(DTYPES)}")
    check("precision", precision, DTYPES)
    return precision


def model_channels(config: dict[str, Any]) -> int:
    """Return how many channels the images of a model have; of one that does not say, 3."""
    return int(config["model"]["settings"].get("in_channels", 3))


def read_model_config(folder: Path) -> dict[str, Any]:
    """Return ``config.json`` of a model folder; ``ValueError`` when it is missing or damaged."""
    path = folder / CONFIG
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"model: {folder} is no model folder: cannot read {CONFIG}") from error
    wanted = {"format", "model", "classes", "image_size", "geometry", "mean", "std"}
    missing = wanted - set(config) if isinstance(config, dict) else wanted
    if missing:
        raise ValueError(f"model: {path} lacks {', '.join(sorted(missing))}")
    if config["format"] not in FORMATS:
        raise ValueError(
            f"model: {path} has format {config['format']!r}; this version reads 1 to 3"
        )
    return config

"""A U-Net's way up over an encoder of Hugging Face's `transformers`, such as ResNet or ConvNeXt.

The encoder is named by a model of the hub, a folder of `save_pretrained`, its configuration as
JSON, or a name of `BUILT_IN`. Its four last feature maps are joined on the way up; no code of a
model is ever run, and its weights are safetensors.
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .blocks import ConvNormReLU, padded, scaled

# So that an encoder is there without any file.
BUILT_IN: dict[str, dict[str, Any]] = {
    "resnet-18": {
        "model_type": "resnet",
        "depths": [2, 2, 2, 2],
        "hidden_sizes": [64, 128, 256, 512],
        "layer_type": "basic",
    }
}
LEVELS = 4
# More channels, layers or labels than any encoder has: lists are made of some of them.
DIGITS = 5


class BackboneUNet(nn.Module):
    """Map images ``(batch, in_channels, height, width)`` to logits of the same height and width.

    ``pretrained`` takes the encoder's weights from where ``backbone`` is, else they are random;
    the first convolution is random too where images have other than the encoder's channels.
    ``base_channels`` is the width of the way up at a quarter of the resolution. Any size will do.

    Raises ``ValueError`` when ``backbone`` is not found, or is no encoder with such maps, and when
    `transformers` is not installed.
    """

    stride = 32
    encoder_parts = ("encoder",)

    def __init__(
        self,
        *,
        in_channels: int = 3,
        out_channels: int = 1,
        backbone: str = "resnet-18",
        pretrained: bool = False,
        base_channels: int = 64,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder, self.travels = _encoder(backbone, in_channels, pretrained=pretrained)
        *skips, deepest = self.encoder.channels
        self.dropout = nn.Dropout2d(dropout)
        self.ups = nn.ModuleList()
        channels = deepest
        for level, skip in reversed(list(enumerate(skips))):
            wide = base_channels * 2**level
            self.ups.append(nn.Sequential(*_convolutions(channels + skip, wide)))
            channels = wide
        self.to_half = ConvNormReLU(channels, max(1, base_channels // 2), 3)
        self.to_whole = ConvNormReLU(max(1, base_channels // 2), max(1, base_channels // 4), 3)
        self.last = nn.Conv2d(max(1, base_channels // 4), out_channels, kernel_size=1)

    def segments(self) -> list[nn.Module]:
        # Whatever they are called: an encoder's stages are the first list in it.
        stages = next(each for each in self.encoder.modules() if isinstance(each, nn.ModuleList))
        first = next(self.encoder.children())
        embedding = [first] if stages not in first.modules() else []
        return [*embedding, *stages, *self.ups, self.to_half, self.to_whole]

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        whole = padded(images, self.stride)
        *skips, deepest = self.encoder(whole).feature_maps
        x = self.dropout(deepest)
        for up, skip in zip(self.ups, reversed(skips), strict=True):
            x = up(torch.cat([skip, scaled(x, skip)], dim=1))
        half = self.to_half(scaled(x, whole[..., ::2, ::2]))
        logits: Tensor = self.last(self.to_whole(scaled(half, whole)))
        return logits[..., :height, :width]


def _convolutions(in_channels: int, out_channels: int) -> list[nn.Module]:
    return [ConvNormReLU(in_channels, out_channels, 3), ConvNormReLU(out_channels, out_channels, 3)]


def _encoder(name: str, in_channels: int, *, pretrained: bool) -> tuple[Any, dict[str, Any]]:
    """Return the encoder, and the settings by which it is built again wherever it goes."""
    try:
        from transformers import AutoBackbone
        from transformers.utils import logging
    except ImportError as error:
        cure = "it comes with pip install 'segscope[backbones]'"
        raise ValueError(f"backbone: transformers is not installed; {cure}") from error
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    config = _config(name)
    stages = len(config.stage_names) if hasattr(config, "stage_names") else 0
    patch = getattr(config, "patch_size", 1)
    if stages < LEVELS or not isinstance(patch, int) or BackboneUNet.stride % patch:
        raise ValueError(f"backbone: {_short(name)} is no encoder of four levels; try a ResNet")
    config.out_indices = list(range(stages - LEVELS, stages))
    config.num_channels = in_channels
    try:
        encoder: Any = AutoBackbone.from_config(config)
        if pretrained:
            # The concrete class, which knows the weights of models that have a head beside it.
            encoder = type(encoder).from_pretrained(
                name,
                config=config,
                ignore_mismatched_sizes=True,
                use_safetensors=True,
                local_files_only=Path(name).is_dir(),
            )
    except _refusals() as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"backbone: {_short(name)} cannot be built: {reason}") from error
    return encoder, {"backbone": config.to_json_string(use_diff=True), "pretrained": False}


def _config(name: str) -> Any:
    from transformers import AutoConfig

    given = BUILT_IN.get(name)
    try:
        if given is None and name.startswith("{"):
            given = json.loads(name, parse_int=_bounded)
        if given is not None:
            settings = {k: v for k, v in given.items() if k not in ("model_type", "out_features")}
            return AutoConfig.for_model(given["model_type"], **settings)
        return AutoConfig.from_pretrained(
            name, trust_remote_code=False, local_files_only=Path(name).is_dir()
        )
    except _refusals() as error:
        raise ValueError(
            f"backbone: {_short(name)} is neither a folder with a config.json, nor a model of the "
            f"Hugging Face hub that can be reached; {', '.join(BUILT_IN)} needs neither"
        ) from error


def _bounded(digits: str) -> int:
    if len(digits) > DIGITS:
        raise ValueError(f"{digits[:20]} is too large a number")
    return int(digits)


def _refusals() -> tuple[type[Exception], ...]:
    """Return what transformers raises for a model that is not there, or cannot be."""
    from huggingface_hub.errors import StrictDataclassError

    of_values = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
    return OSError, ImportError, StrictDataclassError, RecursionError, *of_values


def _short(name: str) -> str:
    return name if len(name) < 80 else f"{name[:77]}…"

"""A classifier: the encoder of a segmentation network, the mean over the image, a linear layer."""

from typing import Any

import torch
from torch import Tensor, nn

from trainer.models.blocks import padded


class Classifier(nn.Module):
    """Map images ``(batch, in_channels, height, width)`` to logits ``(batch, out_channels, 1, 1)``.

    It has the parts of ``network`` that go down from the image, under their own names, so that
    weights of that network fit; and ``head``. ``dropout`` is the share of the features that are
    dropped before it while training.
    """

    def __init__(
        self, network: Any, *, in_channels: int, out_channels: int, dropout: float
    ) -> None:
        super().__init__()
        self.encoder_parts: tuple[str, ...] = network.encoder_parts
        self.stride: int = network.stride
        for name in network.encoder_parts:
            self.add_module(name, network.get_submodule(name))
        self.eval()
        # Two cells a side: an instance normalisation wants more than one.
        side = 2 * self.stride
        with torch.no_grad():
            channels = self.features(torch.zeros(1, in_channels, side, side)).shape[1]
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels, out_channels)
        self.train()

    def features(self, images: Tensor) -> Tensor:
        """Return the lowest map of the encoder, ``(batch, channels, height, width)``."""
        maps: Any = padded(images, self.stride)
        for name in self.encoder_parts:
            part = self.get_submodule(name)
            for step in part if isinstance(part, nn.ModuleList) else (part,):
                maps = step(maps)
        # An encoder may give the maps of all its levels; one of transformers wraps them.
        maps = getattr(maps, "feature_maps", maps)
        lowest: Tensor = maps if isinstance(maps, Tensor) else maps[-1]
        return lowest

    def forward(self, images: Tensor) -> Tensor:
        pooled = self.features(images).mean(dim=(2, 3))
        logits: Tensor = self.head(self.dropout(pooled))
        return logits[..., None, None]

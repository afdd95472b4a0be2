"""The deep residual U-Net of Zhang, Liu and Wang (IEEE GRSL 2018, arXiv 1711.10684).

As in the paper: units of two convolutions after their normalisation and ReLU, a shortcut around
each, strided convolutions in place of pooling, nearest neighbours and a concatenation on the way
up. The shortcut is a 1 x 1 convolution where size or channels change.
"""

import itertools

import torch
from torch import Tensor, nn

from .blocks import norm, padded


class ResidualUnit(nn.Module):
    """Normalise, ReLU, convolve, twice, beside a shortcut."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, *, stride: int, norm_kind: str
    ) -> None:
        super().__init__()
        self.inner = nn.Sequential()
        for channels, step in ((in_channels, stride), (out_channels, 1)):
            self.inner.extend([*norm(norm_kind, channels), nn.ReLU()])
            self.inner.append(
                nn.Conv2d(channels, out_channels, kernel_size, step, padding=kernel_size // 2)
            )
        same = stride == 1 and in_channels == out_channels
        self.shortcut = nn.Identity() if same else nn.Conv2d(in_channels, out_channels, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        summed: Tensor = self.inner(x) + self.shortcut(x)
        return summed


class ResUNet(nn.Module):
    """Map images ``(batch, in_channels, height, width)`` to logits of the same height and width.

    Any size will do, as with `unet.UNet`; the settings are those of the same names there.
    """

    encoder_parts = ("first", "unit", "downs")

    def __init__(
        self,
        *,
        in_channels: int = 3,
        out_channels: int = 1,
        base_channels: int = 64,
        depth: int = 3,
        kernel_size: int = 3,
        norm: str = "batch",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        channels = [base_channels * 2**level for level in range(depth + 1)]
        levels = list(itertools.pairwise(channels))
        self.stride = 2**depth
        # The first unit has no activation before it: there is none of an image yet.
        self.first = nn.Conv2d(in_channels, channels[0], kernel_size, padding=kernel_size // 2)
        self.unit = ResidualUnit(channels[0], channels[0], kernel_size, stride=1, norm_kind=norm)
        self.downs = nn.ModuleList(
            ResidualUnit(wide, deep, kernel_size, stride=2, norm_kind=norm) for wide, deep in levels
        )
        self.dropout = nn.Dropout2d(dropout)
        self.enlarge = nn.Upsample(scale_factor=2, mode="nearest")
        self.ups = nn.ModuleList(
            ResidualUnit(deep + wide, wide, kernel_size, stride=1, norm_kind=norm)
            for wide, deep in reversed(levels)
        )
        self.last = nn.Conv2d(channels[0], out_channels, kernel_size=1)

    def segments(self) -> list[nn.Module]:
        return [self.unit, *self.downs, *self.ups]

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        features = [self.unit(self.first(padded(images, self.stride)))]
        for down in self.downs:
            features.append(down(features[-1]))
        x = self.dropout(features.pop())
        for up in self.ups:
            x = up(torch.cat([features.pop(), self.enlarge(x)], dim=1))
        logits: Tensor = self.last(x)
        return logits[..., :height, :width]

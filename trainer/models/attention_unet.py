"""The attention U-Net of Oktay et al. (MIDL 2018, arXiv 1804.03999).

A U-Net whose skip connections are multiplied by a gate: what the level below knows of a place says
how much of the skip connection counts there.
"""

import itertools

import torch
from torch import Tensor, nn

from .blocks import norm, padded, scaled, upsampling
from .unet import DoubleConv, Down


class AttentionGate(nn.Module):
    """Weigh a skip connection by the level below, of half its resolution: additive attention.

    The paper's order: both are projected to half the skip's channels at the lower resolution,
    added, ReLU, one channel, sigmoid, and scaled up.
    """

    def __init__(self, skip_channels: int, gate_channels: int, *, norm_kind: str) -> None:
        super().__init__()
        inner = max(1, skip_channels // 2)
        self.of_skip = nn.Conv2d(skip_channels, inner, kernel_size=2, stride=2, bias=False)
        self.of_gate = nn.Conv2d(gate_channels, inner, kernel_size=1)
        self.weight = nn.Sequential(nn.ReLU(), nn.Conv2d(inner, 1, kernel_size=1), nn.Sigmoid())
        self.out = nn.Sequential(
            nn.Conv2d(skip_channels, skip_channels, kernel_size=1), *norm(norm_kind, skip_channels)
        )

    def forward(self, skip: Tensor, gate: Tensor) -> Tensor:
        weight = self.weight(self.of_skip(skip) + self.of_gate(gate))
        weighed: Tensor = self.out(skip * scaled(weight, skip))
        return weighed


class AttentionUp(nn.Module):
    """Gate the skip connection, double the resolution, join and convolve."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, *, norm_kind: str
    ) -> None:
        super().__init__()
        self.gate = AttentionGate(out_channels, in_channels, norm_kind=norm_kind)
        self.up = upsampling("transpose", in_channels, out_channels)
        bias = norm_kind == "none"
        self.conv = DoubleConv(
            2 * out_channels, out_channels, kernel_size, norm_kind=norm_kind, bias=bias
        )

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        joined: Tensor = self.conv(torch.cat([self.gate(skip, deep), self.up(deep)], dim=1))
        return joined


class AttentionUNet(nn.Module):
    """Map images ``(batch, in_channels, height, width)`` to logits of the same height and width.

    Any size will do, as with `unet.UNet`; the settings are those of the same names there.
    """

    encoder_parts = ("first", "downs")

    def __init__(
        self,
        *,
        in_channels: int = 3,
        out_channels: int = 1,
        base_channels: int = 64,
        depth: int = 4,
        kernel_size: int = 3,
        norm: str = "batch",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        channels = [base_channels * 2**level for level in range(depth + 1)]
        levels = list(itertools.pairwise(channels))
        bias = norm == "none"
        self.stride = 2**depth
        self.first = DoubleConv(in_channels, channels[0], kernel_size, norm_kind=norm, bias=bias)
        self.downs = nn.ModuleList(
            Down(wide, deep, kernel_size, norm_kind=norm, bias=bias) for wide, deep in levels
        )
        self.dropout = nn.Dropout2d(dropout)
        self.ups = nn.ModuleList(
            AttentionUp(deep, wide, kernel_size, norm_kind=norm) for wide, deep in reversed(levels)
        )
        self.last = nn.Conv2d(channels[0], out_channels, kernel_size=1)

    def segments(self) -> list[nn.Module]:
        return [self.first, *self.downs, *self.ups]

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        features = [self.first(padded(images, self.stride))]
        for down in self.downs:
            features.append(down(features[-1]))
        x = self.dropout(features.pop())
        for up in self.ups:
            x = up(x, features.pop())
        logits: Tensor = self.last(x)
        return logits[..., :height, :width]

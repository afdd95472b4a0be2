"""The U-Net of Ronneberger et al. (MICCAI 2015, arXiv 1505.04597).

As in the paper: two convolutions a level, channels doubled at each level down, 2 x 2 max pooling,
2 x 2 up-convolutions, skip connections by concatenation. Unlike it: convolutions are padded, so
that the output has the input's size, each is followed by batch normalisation, and the kernel's
size is a setting, so that a search can ask what a larger one brings.
"""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DoubleConv(nn.Sequential):
    """Twice: convolution, batch normalisation, ReLU. The size stays."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__()
        for channels in (in_channels, out_channels):
            # No bias: the normalisation that follows would subtract it again.
            self.append(
                nn.Conv2d(channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False)
            )
            self.append(nn.BatchNorm2d(out_channels))
            self.append(nn.ReLU(inplace=True))


class Down(nn.Sequential):
    """Halve the resolution, then double the channels."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__(nn.MaxPool2d(2), DoubleConv(in_channels, out_channels, kernel_size))


class Up(nn.Module):
    """Double the resolution, join the skip connection, and convolve."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, out_channels, kernel_size=2, stride=2)
        self.conv = DoubleConv(2 * out_channels, out_channels, kernel_size)

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        joined: Tensor = self.conv(torch.cat([skip, self.up(deep)], dim=1))
        return joined


class UNet(nn.Module):
    """Map images ``(batch, in_channels, height, width)`` to logits of the same height and width.

    ``base_channels`` is the width of the first level (64 in the paper), ``depth`` the number of
    times the resolution is halved (4 in the paper). Any height and width will do: a size that
    ``stride`` does not divide is padded at the bottom and the right by repeating the border, and
    the logits are cut back to the input's size.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        out_channels: int = 1,
        base_channels: int = 64,
        depth: int = 4,
        kernel_size: int = 3,
    ) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size: {kernel_size} must be odd, so that sizes stay")
        channels = [base_channels * 2**level for level in range(depth + 1)]
        self.stride = 2**depth
        self.first = DoubleConv(in_channels, channels[0], kernel_size)
        self.downs = nn.ModuleList(
            Down(wide, deep, kernel_size) for wide, deep in itertools.pairwise(channels)
        )
        self.ups = nn.ModuleList(
            Up(deep, wide, kernel_size)
            for wide, deep in reversed(list(itertools.pairwise(channels)))
        )
        self.last = nn.Conv2d(channels[0], out_channels, kernel_size=1)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        features = [self.first(self._pad(images))]
        for down in self.downs:
            features.append(down(features[-1]))
        x = features.pop()
        for up in self.ups:
            x = up(x, features.pop())
        logits: Tensor = self.last(x)
        return logits[..., :height, :width]

    def _pad(self, images: Tensor) -> Tensor:
        bottom, right = (-side % self.stride for side in images.shape[-2:])
        if not bottom and not right:
            return images
        return F.pad(images, (0, right, 0, bottom), mode="replicate")

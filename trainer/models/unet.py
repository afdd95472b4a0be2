"""The U-Net of Ronneberger et al. (MICCAI 2015, arXiv 1505.04597).

As in the paper: two convolutions a level, channels doubled at each level down, 2 x 2 max pooling,
2 x 2 up-convolutions, skip connections by concatenation. Unlike it: convolutions are padded, so
that the output has the input's size, each is followed by batch normalisation, and the kernel's
size is a setting, so that a search can ask what a larger one brings.
"""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .blocks import norm, padded, upsampling


class DoubleConv(nn.Sequential):
    """Twice: convolution, normalisation, ReLU. The size stays."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        norm_kind: str = "batch",
        bias: bool = False,
    ) -> None:
        super().__init__()
        for channels in (in_channels, out_channels):
            padding = kernel_size // 2
            self.append(nn.Conv2d(channels, out_channels, kernel_size, padding=padding, bias=bias))
            self.extend(norm(norm_kind, out_channels))
            self.append(nn.ReLU(inplace=True))


class Down(nn.Sequential):
    """Halve the resolution, then convolve to more channels."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, *, norm_kind: str, bias: bool
    ) -> None:
        convolve = DoubleConv(
            in_channels, out_channels, kernel_size, norm_kind=norm_kind, bias=bias
        )
        super().__init__(nn.MaxPool2d(2), convolve)


class Up(nn.Module):
    """Double the resolution, join the skip connection, and convolve."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        norm_kind: str,
        bias: bool,
        upsampling_kind: str,
    ) -> None:
        super().__init__()
        self.up = upsampling(upsampling_kind, in_channels, out_channels)
        self.conv = DoubleConv(
            2 * out_channels, out_channels, kernel_size, norm_kind=norm_kind, bias=bias
        )

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        joined: Tensor = self.conv(torch.cat([skip, self.up(deep)], dim=1))
        return joined


class UNet(nn.Module):
    """Map images ``(batch, in_channels, height, width)`` to logits of the same height and width.

    ``base_channels`` is the width of the first level (64 in the paper), ``depth`` the number of
    times the resolution is halved (4 in the paper); ``level_widths``, in multiples of
    ``base_channels``, go before it. Any height and width will do: a size that ``stride`` does not
    divide is padded at the bottom and the right by repeating the border, and the logits are cut
    back to the input's size.

    Convolutions have a bias unless every one of them is normalised.
    """

    encoder_parts = ("first", "downs")

    def __init__(
        self,
        *,
        in_channels: int = 3,
        out_channels: int = 1,
        base_channels: int = 64,
        depth: int = 4,
        level_widths: Sequence[int] | None = None,
        kernel_size: int = 3,
        norm: str = "batch",
        decoder_norm: str = "same",
        upsampling: str = "transpose",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size: {kernel_size} must be odd, so that sizes stay")
        widths = level_widths or [2**level for level in range(depth + 1)]
        channels = [base_channels * width for width in widths]
        above = norm if decoder_norm == "same" else decoder_norm
        bias = "none" in (norm, above)
        self.stride = 2 ** (len(channels) - 1)
        self.first = DoubleConv(in_channels, channels[0], kernel_size, norm_kind=norm, bias=bias)
        self.downs = nn.ModuleList(
            Down(wide, deep, kernel_size, norm_kind=norm, bias=bias)
            for wide, deep in itertools.pairwise(channels)
        )
        self.dropout = nn.Dropout2d(dropout)
        self.ups = nn.ModuleList(
            Up(
                deep,
                wide,
                kernel_size,
                norm_kind=above,
                bias=bias,
                upsampling_kind=upsampling,
            )
            for wide, deep in reversed(list(itertools.pairwise(channels)))
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

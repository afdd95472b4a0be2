"""What several networks are built of."""

import math

import torch.nn.functional as F
from torch import Tensor, nn

# Wu and He (ECCV 2018, arXiv 1803.08494) found 32 groups best, where the channels allow it.
GROUPS = 32


def norm(kind: str, channels: int) -> list[nn.Module]:
    """Return the normalisation of that kind, learnt scale and shift, as a list of none or one."""
    if kind == "batch":
        return [nn.BatchNorm2d(channels)]
    if kind == "group":
        return [nn.GroupNorm(math.gcd(GROUPS, channels), channels)]
    if kind == "instance":
        return [nn.InstanceNorm2d(channels, affine=True)]
    return []


class ConvNormReLU(nn.Sequential):
    """A convolution, padded to keep its input's size but for ``stride``, normalised, then ReLU."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        norm_kind: str = "batch",
    ) -> None:
        super().__init__(
            nn.Conv2d(
                in_channels,
                out_channels,
                kernel_size,
                stride,
                padding=dilation * (kernel_size // 2),
                dilation=dilation,
                # A normalisation would subtract it again.
                bias=norm_kind == "none",
            ),
            *norm(norm_kind, out_channels),
            nn.ReLU(inplace=True),
        )


def padded(images: Tensor, stride: int) -> Tensor:
    """Return images whose height and width ``stride`` divides, by repeating the border.

    They grow at the bottom and the right.
    """
    bottom, right = (-side % stride for side in images.shape[-2:])
    if not bottom and not right:
        return images
    return F.pad(images, (0, right, 0, bottom), mode="replicate")


def scaled(maps: Tensor, like: Tensor) -> Tensor:
    """Return maps ``(batch, channels, …)`` scaled bilinearly to the height and width of another."""
    return F.interpolate(maps, like.shape[-2:], mode="bilinear", align_corners=False)


def upsampling(kind: str, in_channels: int, out_channels: int) -> nn.Module:
    """Return what doubles the resolution and changes the number of channels."""
    if kind == "transpose":
        return nn.ConvTranspose2d(in_channels, out_channels, kernel_size=2, stride=2)
    if kind == "pixel-shuffle":
        return nn.Sequential(nn.Conv2d(in_channels, 4 * out_channels, 1), nn.PixelShuffle(2))
    # A 1 x 1 convolution and an interpolation may change places; this way it is a quarter the work.
    scale = nn.Upsample(scale_factor=2, mode=kind)
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), scale)

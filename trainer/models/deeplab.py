"""DeepLabv3+ of Chen et al. (ECCV 2018, arXiv 1802.02611).

A dilated residual encoder of stride 16, atrous spatial pyramid pooling at rates 6, 12 and 18, and
a decoder that joins it with the first block's features at a quarter of the resolution.
"""

import torch
from torch import Tensor, nn

from .blocks import ConvNormReLU, padded, scaled
from .resnet import ImagePooling, ResNet

RATES = (6, 12, 18)
# Of the paper, for an encoder of 64 base channels: 256 where features join, 48 of the first block.
PYRAMID, LOW_LEVEL = 4, 0.75


class DeepLabV3Plus(nn.Module):
    """Map images ``(batch, in_channels, height, width)`` to logits of the same height and width.

    ``encoder_depth`` is that of the residual encoder, ``base_channels`` the width of its first
    block; the decoder's 256 and 48 channels scale with it. Any size will do, as with `unet.UNet`.
    """

    stride = 16
    encoder_parts = ("encoder",)

    def __init__(
        self,
        *,
        in_channels: int = 3,
        out_channels: int = 1,
        encoder_depth: int = 50,
        base_channels: int = 64,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.encoder = ResNet(
            in_channels=in_channels,
            encoder_depth=encoder_depth,
            base_channels=base_channels,
            output_stride=self.stride,
        )
        first, last = self.encoder.channels[0], self.encoder.channels[-1]
        joint, low = PYRAMID * base_channels, max(1, round(LOW_LEVEL * base_channels))
        self.pyramid = nn.ModuleList([ImagePooling(last, joint), ConvNormReLU(last, joint, 1)])
        for rate in RATES:
            self.pyramid.append(ConvNormReLU(last, joint, 3, dilation=rate))
        self.project = nn.Sequential(
            ConvNormReLU(joint * len(self.pyramid), joint, 1), nn.Dropout2d(dropout)
        )
        self.low_level = ConvNormReLU(first, low, 1)
        self.decode = nn.Sequential(
            ConvNormReLU(joint + low, joint, 3),
            ConvNormReLU(joint, joint, 3),
            nn.Conv2d(joint, out_channels, kernel_size=1),
        )

    def segments(self) -> list[nn.Module]:
        return [*self.encoder.segments(), *self.pyramid, self.project, self.low_level, self.decode]

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        whole = padded(images, self.stride)
        first, *_, last = self.encoder(whole)
        rates = [scaled(branch(last), last) for branch in self.pyramid]
        deep = scaled(self.project(torch.cat(rates, dim=1)), first)
        joined = self.decode(torch.cat([deep, self.low_level(first)], dim=1))
        return scaled(joined, whole)[..., :height, :width]

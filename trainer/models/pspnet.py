"""PSPNet, the pyramid scene parsing network of Zhao et al. (CVPR 2017, arXiv 1612.01105).

A dilated residual encoder of stride 8, its features pooled to 1, 2, 3 and 6 cells a side and
joined with them, and an auxiliary classifier on the third block while training, weighed 0.4.
"""

import torch
from torch import Tensor, nn

from .blocks import ConvNormReLU, padded, scaled
from .resnet import ImagePooling, ResNet

BINS = (2, 3, 6)


class PSPNet(nn.Module):
    """Map images ``(batch, in_channels, height, width)`` to logits of the same height and width.

    ``encoder_depth`` is that of the residual encoder, ``base_channels`` the width of its first
    block. While training a pair is returned, of logits and auxiliary logits of the same shape. Any
    size will do, as with `unet.UNet`.
    """

    stride = 8
    auxiliary_weight = 0.4
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
        *_, third, last = self.encoder.channels
        narrow = max(1, last // 4)
        self.pools = nn.ModuleList([ImagePooling(last, narrow)])
        for bins in BINS:
            pool = nn.Sequential(nn.AdaptiveAvgPool2d(bins), ConvNormReLU(last, narrow, 1))
            self.pools.append(pool)
        self.head = nn.Sequential(
            ConvNormReLU(last + narrow * len(self.pools), narrow, 3),
            nn.Dropout2d(dropout),
            nn.Conv2d(narrow, out_channels, kernel_size=1),
        )
        aside = max(1, third // 4)
        self.auxiliary = nn.Sequential(
            ConvNormReLU(third, aside, 3),
            nn.Dropout2d(dropout),
            nn.Conv2d(aside, out_channels, kernel_size=1),
        )

    def segments(self) -> list[nn.Module]:
        return [*self.encoder.segments(), *self.pools, self.head, self.auxiliary]

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        height, width = images.shape[-2:]
        whole = padded(images, self.stride)
        *_, third, last = self.encoder(whole)
        pooled = [scaled(pool(last), last) for pool in self.pools]
        logits = scaled(self.head(torch.cat([last, *pooled], dim=1)), whole)
        logits = logits[..., :height, :width]
        if not self.training:
            return logits
        return logits, scaled(self.auxiliary(third), whole)[..., :height, :width]

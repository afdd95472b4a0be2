"""The residual network of He et al. (CVPR 2016, arXiv 1512.03385), dilated as an encoder.

With an output stride of 8 or 16 the last blocks keep the resolution and their 3 x 3 convolutions
are dilated instead (Yu and Koltun, arXiv 1511.07122), as DeepLab and PSPNet have it.
"""

from torch import Tensor, nn

from .blocks import ConvNormReLU

# Units of each block, and whether they are bottlenecks.
DEPTHS = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
}
EXPANSION = 4


class Unit(nn.Module):
    """Two 3 x 3 convolutions, or a 3 x 3 between two 1 x 1, beside a shortcut."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        stride: int,
        dilation: int,
        is_bottleneck: bool,
    ) -> None:
        super().__init__()
        if is_bottleneck:
            out_channels = channels * EXPANSION
            convolutions = nn.Sequential(
                ConvNormReLU(in_channels, channels, 1),
                ConvNormReLU(channels, channels, 3, stride=stride, dilation=dilation),
                nn.Conv2d(channels, out_channels, 1, bias=False),
            )
        else:
            out_channels = channels
            convolutions = nn.Sequential(
                ConvNormReLU(in_channels, channels, 3, stride=stride, dilation=dilation),
                nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, bias=False),
            )
        self.inner = convolutions.append(nn.BatchNorm2d(out_channels))
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        summed: Tensor = self.relu(self.inner(x) + self.shortcut(x))
        return summed


class ResNet(nn.Module):
    """Return the features of the four blocks, first to last.

    The first is a quarter of the image's height and width; the last has ``1 / output_stride`` of
    them, 8 or 16, and ``channels[3]`` channels.
    """

    def __init__(
        self, *, in_channels: int, encoder_depth: int, base_channels: int, output_stride: int
    ) -> None:
        super().__init__()
        counts, is_bottleneck = DEPTHS[encoder_depth]
        self.stem = nn.Sequential(
            ConvNormReLU(in_channels, base_channels, 7, stride=2), nn.MaxPool2d(3, 2, padding=1)
        )
        wide = EXPANSION if is_bottleneck else 1
        self.channels = [base_channels * 2**level * wide for level in range(4)]
        self.blocks = nn.ModuleList()
        reached, dilation, channels = 4, 1, base_channels
        for level, count in enumerate(counts):
            stride = 2 if level else 1
            if reached * stride > output_stride:
                stride, dilation = 1, dilation * stride
            reached *= stride
            block = nn.Sequential()
            for at in range(count):
                block.append(
                    Unit(
                        channels,
                        base_channels * 2**level,
                        stride=1 if at else stride,
                        dilation=dilation,
                        is_bottleneck=is_bottleneck,
                    )
                )
                channels = self.channels[level]
            self.blocks.append(block)

    def segments(self) -> list[nn.Module]:
        return [self.stem, *(unit for block in self.blocks for unit in block.children())]

    def forward(self, images: Tensor) -> list[Tensor]:
        features = [self.blocks[0](self.stem(images))]
        for block in self.blocks[1:]:
            features.append(block(features[-1]))
        return features


class ImagePooling(nn.Sequential):
    """The mean over the whole image, projected: what it is a picture of.

    Not normalised by batch: one image has but one value a channel, which has no spread.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.AdaptiveAvgPool2d(1), ConvNormReLU(in_channels, out_channels, 1, norm_kind="none")
        )

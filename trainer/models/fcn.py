"""A fully convolutional network in VGG's manner (Long et al., CVPR 2015, arXiv 1411.4038).

Four blocks of 3 x 3 convolutions with pooling, a 7 x 7 and a 1 x 1 convolution in place of VGG's
fully connected layers, scores, and bilinear upsampling: no skip connections, as in FCN-32s, and
a block less, so that its grid is of 16 pixels.
"""

from torch import Tensor, nn

from .blocks import ConvNormReLU, padded

# Convolutions of each block.
CONVOLUTIONS = (2, 2, 3, 3)


class FCN(nn.Module):
    """Map images ``(batch, in_channels, height, width)`` to logits of the same height and width.

    ``base_channels`` are those of the first block, ``fc_channels`` of the two convolutions at the
    bottom. Any size will do, as with `unet.UNet`.
    """

    stride = 2 ** len(CONVOLUTIONS)
    encoder_parts = ("blocks",)

    def __init__(
        self,
        *,
        in_channels: int = 3,
        out_channels: int = 1,
        base_channels: int = 64,
        fc_channels: int = 1024,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.blocks = nn.Sequential()
        channels = in_channels
        for level, count in enumerate(CONVOLUTIONS):
            block = nn.Sequential()
            for _ in range(count):
                wide = base_channels * 2**level
                block.append(ConvNormReLU(channels, wide, 3, norm_kind="none"))
                channels = wide
            self.blocks.append(block.append(nn.MaxPool2d(2)))
        self.fc1 = ConvNormReLU(channels, fc_channels, 7, norm_kind="none")
        self.fc2 = ConvNormReLU(fc_channels, fc_channels, 1, norm_kind="none")
        self.dropout = nn.Dropout2d(dropout)
        self.score = nn.Conv2d(fc_channels, out_channels, kernel_size=1)
        self.enlarge = nn.Upsample(scale_factor=self.stride, mode="bilinear")
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module is not self.score:
                # Without normalisation a network this deep learns only from He's initialisation.
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def segments(self) -> list[nn.Module]:
        return [*self.blocks, self.fc1, self.fc2]

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        x = self.blocks(padded(images, self.stride))
        x = self.dropout(self.fc2(self.dropout(self.fc1(x))))
        logits: Tensor = self.enlarge(self.score(x))
        return logits[..., :height, :width]

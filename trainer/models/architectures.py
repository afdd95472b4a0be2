"""The settings of every architecture: what its network's keyword arguments may be.

Nothing here imports torch. Two architectures share a setting's name where it means the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from ..names import check
from ..settings import Settings, require

NORMS = {
    "batch": "each channel, over the images of a batch (Ioffe and Szegedy 2015)",
    "group": "groups of channels, image by image (Wu and He 2018)",
    "instance": "each channel, image by image (Ulyanov 2016)",
    "none": "nothing is normalised",
}
DECODER_NORMS = ("same", *NORMS)
UPSAMPLINGS = {
    "transpose": "a transposed convolution",
    "bilinear": "a 1 x 1 convolution, then interpolated",
    "nearest": "a 1 x 1 convolution, then each pixel four times",
    "pixel-shuffle": "a 1 x 1 convolution, its channels turned into pixels (Shi 2016)",
}
RESNETS = (18, 34, 50, 101)


@dataclass(frozen=True, kw_only=True)
class ModelSettings(Settings):
    """Of every architecture; each says what its network asks of an image."""

    @property
    def stride(self) -> int:
        """The factor by which the network divides its input."""
        return 1

    @property
    def least_size(self) -> int:
        """The least that the longer side of an image may have, in pixels."""
        return 1

    @property
    def elsewhere(self) -> str | None:
        """What its network is built of that lies in another place: a folder, the network."""
        return None


@dataclass(frozen=True, kw_only=True)
class WidthSettings(ModelSettings):
    """Of a network of several widths, which may drop channels."""

    base_channels: int = 64
    """Channels of the first level; each level down doubles them. The U-Net's paper has 64."""
    dropout: float = 0.0
    """Share of the channels that are dropped while training, where the network is narrowest."""

    def __post_init__(self) -> None:
        width, share = self.base_channels, self.dropout
        require("base_channels", width, width >= 1, "must be at least 1")
        require("dropout", share, 0 <= share < 1, "must be at least 0 and below 1")


@dataclass(frozen=True, kw_only=True)
class LevelSettings(WidthSettings):
    """Of a network that halves the resolution from level to level, and doubles the channels."""

    kernel_size: int = 3
    """Side of the convolution kernels; odd."""
    base_channels: int = 32
    depth: int = 4
    """Number of times the resolution is halved. The paper has 4."""
    norm: Annotated[str, NORMS] = "batch"
    """What normalises after each convolution."""

    def __post_init__(self) -> None:
        super().__post_init__()
        side, depth = self.kernel_size, self.depth
        require("kernel_size", side, side % 2 == 1, "must be odd, so that sizes stay")
        require("kernel_size", side, 1 <= side <= 15, "must lie in 1 to 15")
        require("depth", depth, 1 <= depth <= 8, "must lie in 1 to 8")
        check("norm", self.norm, NORMS)

    @property
    def stride(self) -> int:
        """Each level halves the resolution."""
        return int(2**self.depth)

    @property
    def least_size(self) -> int:
        """A single pixel of a single image has no spread that could be normalised by."""
        return self.stride + 1


@dataclass(frozen=True, kw_only=True)
class UNetSettings(LevelSettings):
    """Of `unet.UNet`."""

    level_widths: tuple[int, ...] | None = None
    """Channels of each level, in multiples of base_channels; as many as there are levels."""
    upsampling: Annotated[str, UPSAMPLINGS] = "transpose"
    """How the resolution is doubled."""
    decoder_norm: Annotated[str, DECODER_NORMS] = "same"
    """What normalises on the way up; same is as norm."""

    def __post_init__(self) -> None:
        if (widths := self.level_widths) is not None:
            fits = 2 <= len(widths) <= 9 and min(widths) >= 1
            require("level_widths", list(widths), fits, "must be 2 to 9 numbers from 1 on")
            known = self.depth in (LevelSettings.depth, len(widths) - 1)
            require("depth", self.depth, known, "is told by level_widths; leave it out")
            # So that what is recorded of a run is what it was built with.
            object.__setattr__(self, "depth", len(widths) - 1)
        super().__post_init__()
        check("upsampling", self.upsampling, UPSAMPLINGS)
        check("decoder_norm", self.decoder_norm, DECODER_NORMS)

    @classmethod
    def told_by(cls) -> Mapping[str, str]:
        """A list of levels has a length."""
        return {"depth": "level_widths"}


@dataclass(frozen=True, kw_only=True)
class UNetOriginalSettings(UNetSettings):
    """Of the paper's widths, normalised on the way down alone."""

    base_channels: int = 64
    decoder_norm: Annotated[str, DECODER_NORMS] = "none"


@dataclass(frozen=True, kw_only=True)
class UNetMediumSettings(UNetOriginalSettings):
    """Of one level less."""

    depth: int = 3


@dataclass(frozen=True, kw_only=True)
class UNetSmallSettings(UNetOriginalSettings):
    """Of two levels less, the last of them wide."""

    level_widths: tuple[int, ...] | None = (1, 2, 8)


@dataclass(frozen=True, kw_only=True)
class UNetSmall3Settings(UNetSettings):
    """Of three blocks."""

    depth: int = 2


@dataclass(frozen=True, kw_only=True)
class UNetDeepSettings(UNetSettings):
    """Of six levels."""

    depth: int = 5


@dataclass(frozen=True, kw_only=True)
class UNetPlusPlusSettings(LevelSettings):
    """Of `unetplusplus.UNetPlusPlus`."""

    deep_supervision: bool = False
    """Learn from the shallower sub-networks' logits too."""


@dataclass(frozen=True, kw_only=True)
class FCNSettings(WidthSettings):
    """Of `fcn.FCN`."""

    fc_channels: int = 1024
    """Channels of the two convolutions that stand for VGG's fully connected layers."""
    dropout: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        require("fc_channels", self.fc_channels, self.fc_channels >= 1, "must be at least 1")

    @property
    def stride(self) -> int:
        """Four blocks, each of which halves the resolution."""
        return 16


@dataclass(frozen=True, kw_only=True)
class ResNetSettings(WidthSettings):
    """Of a network on a residual encoder."""

    encoder_depth: int = 50
    """Layers of the residual encoder: 18, 34, 50 or 101."""
    dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        known = ", ".join(map(str, RESNETS))
        depth = self.encoder_depth
        require("encoder_depth", depth, depth in RESNETS, f"is none of {known}")


@dataclass(frozen=True, kw_only=True)
class PSPNetSettings(ResNetSettings):
    """Of `pspnet.PSPNet`."""

    @property
    def stride(self) -> int:
        """The encoder's last two blocks are dilated."""
        return 8

    @property
    def least_size(self) -> int:
        """A single pixel of a single image has no spread that a batch could be normalised by."""
        return 9


@dataclass(frozen=True, kw_only=True)
class DeepLabSettings(ResNetSettings):
    """Of `deeplab.DeepLabV3Plus`."""

    @property
    def stride(self) -> int:
        """The encoder's last block is dilated."""
        return 16

    @property
    def least_size(self) -> int:
        """A single pixel of a single image has no spread that a batch could be normalised by."""
        return 17


@dataclass(frozen=True, kw_only=True)
class BackboneSettings(WidthSettings):
    """Of `backbone_unet.BackboneUNet`."""

    backbone: Annotated[str, "NAME|PATH"] = "resnet-18"
    """Encoder of transformers: a model of the Hugging Face hub, a folder, or resnet-18."""
    pretrained: bool = False
    """Take the encoder's weights from the hub or the folder; else they are random."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require("backbone", repr(self.backbone), bool(self.backbone), "is empty; give a name")
        named = self.backbone != BackboneSettings.backbone or not self.pretrained
        require("pretrained", self.backbone, named, "has no weights; give a hub's name or a folder")

    @property
    def elsewhere(self) -> str | None:
        """An encoder that is not written out."""
        inside = self.backbone == BackboneSettings.backbone or self.backbone.startswith("{")
        return None if inside and not self.pretrained else self.backbone

    @property
    def stride(self) -> int:
        """Of the encoders that divide by 4, 8, 16 and 32."""
        return 32

    @property
    def least_size(self) -> int:
        """A single pixel of a single image has no spread that a batch could be normalised by."""
        return 33

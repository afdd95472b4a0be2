"""Architectures by name; this package travels inside every registered model, so it stands alone.

A network maps images ``(batch, in_channels, height, width)``, normalised and of any size, to logits
``(batch, out_channels, height, width)``. While it is training it may return a tuple of these and
of auxiliary logits of the same shape, which are learnt from too, with its `auxiliary_weight`.

To add one, write its module, its settings in `architectures` (they are the keyword arguments of its
network), and its line here; none of the two imports torch.
"""

from dataclasses import asdict
from typing import Any

from ..names import unknown
from ..settings import Component, load
from . import architectures

# Most pixels of an image that is scaled for a network: 4096 x 4096. One float of each is 64 MiB.
LARGEST = 4096 * 4096


MODELS = {
    "unet": Component(
        architectures.UNetSettings,
        ".unet:UNet",
        "the U-Net of Ronneberger et al., padded and normalised",
    ),
    "unet-original": Component(
        architectures.UNetOriginalSettings,
        ".unet:UNet",
        "a U-Net of the paper's widths, not normalised on the way up",
    ),
    "unet-medium": Component(
        architectures.UNetMediumSettings,
        ".unet:UNet",
        "unet-original with a level less",
    ),
    "unet-small": Component(
        architectures.UNetSmallSettings,
        ".unet:UNet",
        "unet-original with two levels less, of 64, 128 and 512 channels",
    ),
    "unet-small-3": Component(
        architectures.UNetSmall3Settings,
        ".unet:UNet",
        "a U-Net of three blocks",
    ),
    "unet-deep": Component(
        architectures.UNetDeepSettings,
        ".unet:UNet",
        "a U-Net of six levels, of 32 to 1,024 channels",
    ),
    "resunet": Component(
        architectures.LevelSettings,
        ".resunet:ResUNet",
        "a U-Net of residual units (Zhang et al. 2018)",
    ),
    "attention-unet": Component(
        architectures.LevelSettings,
        ".attention_unet:AttentionUNet",
        "a U-Net with gates in its skip connections (Oktay et al. 2018)",
    ),
    "unetplusplus": Component(
        architectures.UNetPlusPlusSettings,
        ".unetplusplus:UNetPlusPlus",
        "a U-Net with nested skip connections (Zhou et al. 2018)",
    ),
    "fcn": Component(
        architectures.FCNSettings,
        ".fcn:FCN",
        "a fully convolutional network in VGG's manner (Long et al. 2015)",
    ),
    "pspnet": Component(
        architectures.PSPNetSettings,
        ".pspnet:PSPNet",
        "pyramid pooling on a dilated ResNet (Zhao et al. 2017)",
    ),
    "deeplabv3plus": Component(
        architectures.DeepLabSettings,
        ".deeplab:DeepLabV3Plus",
        "atrous pyramid pooling on a ResNet, and a decoder (Chen et al. 2018)",
    ),
}


def build_model(name: str, *, in_channels: int = 3, out_channels: int = 1, **settings: Any) -> Any:
    """Return a new network of the named architecture, with what is left out as by default.

    Raises ``ValueError`` listing the known architectures when there is none of that name, or
    its settings when it has none of one's name.
    """
    network = load("model", name, MODELS, __package__)
    kind = MODELS[name].settings
    for setting in settings:
        if setting not in kind.names():
            raise unknown(f"setting of {name}", setting, kind.names())
    return network(in_channels=in_channels, out_channels=out_channels, **asdict(kind(**settings)))

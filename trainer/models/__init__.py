"""Architectures by name; this package travels inside every registered model, so it stands alone.

A network maps images ``(batch, in_channels, height, width)``, normalised and of any size, to logits
``(batch, out_channels, height, width)``. While it is training it may return a tuple of these and
of auxiliary logits of the same shape, which are learnt from too, with its `auxiliary_weight`.

Its ``encoder_parts`` name the modules that go down from the image, its ``stride`` is the factor by
which it divides the image's sides. Its ``segments()`` are modules, none within another, that may be
computed again on the way back instead of being kept: its levels or blocks.

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
        "the paper's, padded",
    ),
    "unet-original": Component(
        architectures.UNetOriginalSettings,
        ".unet:UNet",
        "as wide as the paper's",
    ),
    "unet-medium": Component(
        architectures.UNetMediumSettings,
        ".unet:UNet",
        "a level less",
    ),
    "unet-small": Component(
        architectures.UNetSmallSettings,
        ".unet:UNet",
        "of 64, 128 and 512 channels",
    ),
    "unet-small-3": Component(
        architectures.UNetSmall3Settings,
        ".unet:UNet",
        "of three blocks",
    ),
    "unet-deep": Component(
        architectures.UNetDeepSettings,
        ".unet:UNet",
        "of six levels",
    ),
    "resunet": Component(
        architectures.LevelSettings,
        ".resunet:ResUNet",
        "residual units (Zhang 2018)",
    ),
    "attention-unet": Component(
        architectures.LevelSettings,
        ".attention_unet:AttentionUNet",
        "gated skips (Oktay 2018)",
    ),
    "unetplusplus": Component(
        architectures.UNetPlusPlusSettings,
        ".unetplusplus:UNetPlusPlus",
        "nested skips (Zhou 2018)",
    ),
    "fcn": Component(
        architectures.FCNSettings,
        ".fcn:FCN",
        "convolutional VGG (Long 2015)",
    ),
    "pspnet": Component(
        architectures.PSPNetSettings,
        ".pspnet:PSPNet",
        "pyramid pooling (Zhao 2017)",
    ),
    "deeplabv3plus": Component(
        architectures.DeepLabSettings,
        ".deeplab:DeepLabV3Plus",
        "atrous pyramid (Chen 2018)",
    ),
    "backbone-unet": Component(
        architectures.BackboneSettings,
        ".backbone_unet:BackboneUNet",
        "U-Net over a backbone",
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

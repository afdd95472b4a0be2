"""Architectures by name; this package travels inside every registered model, so it stands alone.

A network maps images ``(batch, in_channels, height, width)``, normalised and of any size, to logits
``(batch, out_channels, height, width)``. While it is training it may return a tuple of these and
of auxiliary logits of the same shape, which are learnt from too, with its `auxiliary_weight`.

To add one, write its module, and here its line with a dataclass of its settings (which are the
keyword arguments of its network), without importing torch.
"""

from dataclasses import asdict, dataclass
from typing import Any

from ..names import unknown
from ..settings import Component, Settings, load, require

# Most pixels of an image that is scaled for a network: 4096 x 4096. One float of each is 64 MiB.
LARGEST = 4096 * 4096


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


@dataclass(frozen=True, kw_only=True)
class UNetSettings(ModelSettings):
    """Of `unet.UNet`."""

    kernel_size: int = 3
    """Side of the convolution kernels; odd."""
    base_channels: int = 32
    """Channels of the first level; each level down doubles them. The paper has 64."""
    depth: int = 4
    """Number of times the resolution is halved. The paper has 4."""

    def __post_init__(self) -> None:
        side, width, depth = self.kernel_size, self.base_channels, self.depth
        require("kernel_size", side, side % 2 == 1, "must be odd, so that sizes stay")
        require("kernel_size", side, 1 <= side <= 15, "must lie in 1 to 15")
        require("base_channels", width, width >= 1, "must be at least 1")
        require("depth", depth, 1 <= depth <= 8, "must lie in 1 to 8")

    @property
    def stride(self) -> int:
        """Each level halves the resolution."""
        return int(2**self.depth)

    @property
    def least_size(self) -> int:
        """A single pixel of a single image has no spread that a batch could be normalised by."""
        return self.stride + 1


MODELS = {"unet": Component(UNetSettings, ".unet:UNet")}


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

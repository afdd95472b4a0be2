"""Architectures by name; this package travels inside every registered model, so it stands alone.

A network maps images ``(batch, 3, height, width)``, normalised and of any size, to logits
``(batch, out_channels, height, width)``. While it is training it may return a tuple of these and
of auxiliary logits of the same shape, which are learnt from too, with its `auxiliary_weight`.
"""

from typing import Any

from ..names import load

MODELS = {"unet": ".unet:UNet"}


def build_model(name: str, **settings: Any) -> Any:
    """Return a new network of the named architecture; see its class for the settings.

    Raises ``ValueError`` listing the known architectures when there is none of that name.
    """
    return load("model", name, MODELS, __package__)(**settings)

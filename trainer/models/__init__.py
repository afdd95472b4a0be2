"""Architectures by name; this package travels inside every registered model, so it stands alone."""

from typing import Any

from ..names import load

MODELS = {"unet": ".unet:UNet"}


def build_model(name: str, **settings: Any) -> Any:
    """Return a new network of the named architecture; see its class for the settings.

    Raises ``ValueError`` listing the known architectures when there is none of that name.
    """
    return load("model", name, MODELS, __package__)(**settings)

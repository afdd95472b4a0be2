"""Begin with what another model has learnt, and leave its encoder as it is or nearly so."""

import logging
import tempfile
from pathlib import Path
from typing import Any

from torch import nn

from trainer.prediction.model_folder import read_model_config
from trainer.prediction.registry import resolve_model
from trainer.training.checkpoints import WEIGHTS, read_tensors

logger = logging.getLogger(__name__)

SHOWN = 5


def begin_from(model: str, network: nn.Module) -> None:
    """Give ``network`` all weights of a model that it has under the same names and shapes.

    ``model`` is a run, a registered model or a model's folder. What is not taken is logged.
    Raises ``ValueError`` when there is no such model, or none of its weights fits.
    """
    with tempfile.TemporaryDirectory(prefix="segscope-") as scratch:
        given = read_tensors(resolve_model(model, Path(scratch)) / WEIGHTS)
    own = network.state_dict()
    fitting = {n: t for n, t in given.items() if n in own and own[n].shape == t.shape}
    if not fitting:
        raise ValueError(f"init_from: none of the weights of {model} fits this network")
    network.load_state_dict(fitting, strict=False)
    left = [name for name in own if name not in fitting]
    others = f", … ({len(left)})" if len(left) > SHOWN else ""
    logger.info(
        "begins with %d of %d weights of %s%s",
        len(fitting),
        len(own),
        model,
        f"; at random: {', '.join(left[:SHOWN])}{others}" if left else "",
    )


def architecture_of(model: str) -> dict[str, Any]:
    """Return the fields of a configuration that tell the network of a model: see `begin_from`."""
    with tempfile.TemporaryDirectory(prefix="segscope-") as scratch:
        found = read_model_config(resolve_model(model, Path(scratch)))
    own = {n: v for n, v in found.settings.items() if n not in ("in_channels", "out_channels")}
    return {"model": found.architecture, "channels": found.channels, **own}


def encoder_of(network: nn.Module) -> list[nn.Module]:
    """Return the parts of a network that go down from the image; any has them."""
    return [network.get_submodule(name) for name in network.encoder_parts]  # type: ignore[union-attr]


def frozen(network: nn.Module) -> tuple[nn.Module, ...]:
    """Stop the encoder from learning, and return its parts.

    What its normalisations remember stays too, as long as they are kept from training.
    """
    parts = encoder_of(network)
    for part in parts:
        part.requires_grad_(False)
    return tuple(parts)

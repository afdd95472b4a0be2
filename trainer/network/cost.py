"""What a network costs, counted without computing anything."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from trainer.models import build_model

# What a normalisation by batch remembers of the images that it saw.
STATISTICS = ("running_mean", "running_var")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of a network and one image."""

    trainable: int
    """Numbers that are learnt."""
    buffers: int
    """Running statistics of normalisations."""
    flops: int
    """Floating-point operations of one image's forward pass; a multiplication and an addition
    are two. Convolutions alone."""


def cost(name: str, settings: dict[str, Any], size: tuple[int, int]) -> Cost:
    """Return what the named architecture costs for an image of ``size``, height and width.

    ``settings`` are keywords of `trainer.models.build_model`. Takes no memory.
    """
    shapes = {"pretrained": False} if "pretrained" in settings else {}
    with torch.device("meta"):
        network = build_model(name, **settings | shapes)
    return cost_of(network, size, channels=settings.get("in_channels", 3))


def cost_of(network: nn.Module, size: tuple[int, int], *, channels: int) -> Cost:
    """Return what a network costs that lies on the device ``meta``, which computes nothing."""
    network.eval()
    images = torch.empty(1, channels, *size, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(images)
    named = network.named_buffers()
    buffers = sum(b.numel() for key, b in named if key.rpartition(".")[2] in STATISTICS)
    return Cost(
        trainable=sum(p.numel() for p in network.parameters()),
        buffers=buffers,
        flops=int(counter.get_total_flops()),
    )

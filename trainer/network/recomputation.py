"""Activation checkpointing: memory for time (Chen et al. 2016, arXiv 1604.06174).

Of each of a network's segments the inputs alone are kept, and what lies within is computed again on
the way back. The numbers are the same, bit for bit where the arithmetic repeats itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


def recompute(network: nn.Module) -> None:
    """Let every segment of ``network`` be computed again on the way back; its weights keep names.

    What is drawn within, as for dropout, is drawn alike the second time.
    """
    for segment in network.segments():  # type: ignore[operator]
        segment.forward = partial(_passed, segment, segment.forward)


def _passed(segment: nn.Module, forward: Any, *inputs: Any, **options: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*inputs, **options)
    contexts = partial(_contexts, segment)
    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=contexts, **options)


def _contexts(segment: nn.Module) -> tuple[Any, Any]:
    return nullcontext(), _forgetting(segment)


@contextmanager
def _forgetting(segment: nn.Module) -> Iterator[None]:
    """Let go of what normalisations remember inside: they saw these images the first time."""
    remembered = [
        (module, name, buffer)
        for module in segment.modules()
        for name, buffer in module.named_buffers(recurse=False)
    ]
    # Copies take their places: to write the values back would tell torch that they have changed.
    for module, name, buffer in remembered:
        setattr(module, name, buffer.clone())
    try:
        yield
    finally:
        for module, name, buffer in remembered:
            setattr(module, name, buffer)

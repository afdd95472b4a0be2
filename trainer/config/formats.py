"""The format that configurations and specs are written in, and what an earlier one was."""

from collections.abc import Mapping
from typing import Any

FORMAT = 2
# Format 1 was one flat class: every run had all of these, read or not, and these were the defaults.
FORMAT_1: dict[str, Any] = {
    "image_size": [160, 240],
    "fold": 0,
    "cache_limit_gib": 10.0,
    "augment_probability": 0.5,
    "kernel_size": 3,
    "base_channels": 32,
    "depth": 4,
    "class_weights": "none",
    "lr": 1e-3,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "min_delta": 0.0,
}


def is_format_1(values: Mapping[str, Any]) -> bool:
    """Return whether flat ``values`` were written whole by format 1: they name every setting."""
    return values.keys() >= FORMAT_1.keys()


def check_format(written: Any) -> None:
    """Raise ``ValueError`` for a format that a later version wrote; None is of before."""
    if written is not None and (type(written) is not int or not 1 <= written <= FORMAT):
        raise ValueError(f"format: {written!r} is not known here; this version reads 1 to {FORMAT}")

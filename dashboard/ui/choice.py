"""A choice of exactly one of a few, which the address keeps."""

from collections.abc import Sequence
from typing import Any, TypeVar

import streamlit as st

T = TypeVar("T", bound=str)


def one_of(label: str, options: Sequence[T], *, key: str, where: Any = st, **shown: Any) -> T:
    """Let the reader choose one of the options, the first unless ``default`` names another.

    The address holds it as ``key``; ``where`` is the container.
    """
    settings = {"default": options[0], "required": True, "bind": "query-params"} | shown
    chosen: T = where.segmented_control(label, options, key=key, **settings)
    return chosen

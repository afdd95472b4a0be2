"""Look up what a name stands for in an explicit table.

Models, losses, optimisers, layouts and presets are listed in plain dicts that say where each is.
Checking a name needs the dict alone, so a config, ``--help`` and a sweep's space are validated
without importing torch.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any


def unknown(kind: str, name: str, known: Iterable[str]) -> ValueError:
    """Return the error for a name that is not in ``known``: the nearest one and all of them."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return ValueError(f"unknown {kind} {name!r}{hint}; known: {', '.join(names)}")


def check(kind: str, name: str, table: Mapping[str, object] | Iterable[str]) -> None:
    """Raise ``ValueError`` listing the known names unless ``name`` is one of ``table``."""
    known = list(table)
    if name not in known:
        raise unknown(kind, name, known)


def imported(place: str, package: str | None = None) -> Any:
    """Import and return ``"module:attribute"``, what a table says that a name stands for.

    A module that starts with a dot is relative to ``package``.
    """
    module, attribute = place.split(":")
    return getattr(import_module(module, package), attribute)

"""Which versions an alias of a registered model has pointed at: what a roll-back goes back to.

Kept as a tag of the registered model. MLflow itself forgets where an alias was.
"""

import json
from typing import Any

from mlflow.exceptions import MlflowException

from trainer.faults import system_fault
from trainer.tracking.client import client

KEPT = 100
PREFIX = "segscope.history."


def history(name: str, alias: str) -> list[str]:
    """Return the versions that ``alias`` was moved to, oldest first; empty when nobody noted any.

    Raises ``ValueError`` when there is no such model.
    """
    try:
        tags: dict[str, str] = dict(client().get_registered_model(name).tags or {})
    except MlflowException as error:
        raise ValueError(system_fault(error) or f"model: {error.message}") from error
    try:
        found: Any = json.loads(tags.get(PREFIX + alias, "[]"))
    except (ValueError, RecursionError):
        return []  # Written by hand.
    return [str(version) for version in found] if isinstance(found, list) else []


def note(name: str, alias: str, versions: list[str]) -> None:
    """Keep the versions that ``alias`` was moved to, the last `KEPT` of them."""
    try:
        written = json.dumps(versions[-KEPT:], separators=(",", ":"))
        client().set_registered_model_tag(name, PREFIX + alias, written)
    except MlflowException as error:
        raise ValueError(system_fault(error) or f"model: {error.message}") from error


def moved(versions: list[str], current: str | None, to: str) -> list[str]:
    """Return the history after a move from ``current``, which another program may have set."""
    known = versions if current is None or versions[-1:] == [current] else [*versions, current]
    return known if known[-1:] == [to] else [*known, to]


def before(versions: list[str], current: str | None) -> list[str]:
    """Return the history as it was before ``current``: its last is the version to go back to.

    Empty when there is none, or when another program has moved the alias since.
    """
    return versions[:-1] if current is not None and versions[-1:] == [current] else []

"""Registered models for the pages: read a few seconds old at most, changed through the trainer."""

import time
from collections.abc import Mapping
from functools import lru_cache

from trainer.prediction import registry
from trainer.prediction.registry import ModelVersion
from trainer.store import tracking_uri
from trainer.tracking import promotions

FRESH_SECONDS = 3.0


def models() -> dict[str, list[ModelVersion]]:
    """Return the versions of every registered model by its name, newest first.

    Raises ``ValueError`` when the store cannot be read.
    """
    return _models(tracking_uri(), int(time.monotonic() / FRESH_SECONDS))


def forget() -> None:
    """Read anew at the next look."""
    _models.cache_clear()


@lru_cache(maxsize=4)
def _models(uri: str, period: int) -> dict[str, list[ModelVersion]]:
    del uri, period
    return registry.list_models()


def by_run(listed: Mapping[str, list[ModelVersion]]) -> dict[str, list[ModelVersion]]:
    """Return the versions that were made of each run, by the run's id."""
    found: dict[str, list[ModelVersion]] = {}
    for versions in listed.values():
        for version in versions:
            if version.run_id:
                found.setdefault(version.run_id, []).append(version)
    return found


def described(version: ModelVersion) -> str:
    """Return ``name v3 (champion)``."""
    aliases = f" ({', '.join(version.aliases)})" if version.aliases else ""
    return f"{version.name} v{version.version}{aliases}"


def holder(versions: list[ModelVersion], alias: str) -> ModelVersion | None:
    """Return the version that an alias points at; None when it points at none."""
    return next((version for version in versions if alias in version.aliases), None)


def earlier(name: str, alias: str, current: str | None) -> list[str]:
    """Return the versions that the alias pointed at before ``current``, the latest of them last."""
    return promotions.before(promotions.history(name, alias), current)


def promote(name: str, version: str, *, alias: str) -> None:
    """Point the alias at a version, noting where it pointed; ``ValueError`` when that fails."""
    registry.promote(name, version, alias=alias)
    forget()


def roll_back(name: str, *, alias: str) -> str:
    """Point the alias at the version it pointed at before and return that version."""
    version = registry.roll_back(name, alias=alias).version
    forget()
    return version

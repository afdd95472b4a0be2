"""Registered models for the pages: read a few seconds old at most, changed through the trainer."""

import time
from collections.abc import Mapping
from functools import lru_cache

from trainer.analysis.comparison import Comparison, compare
from trainer.evaluation.results import ImageResults, best_results
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


@lru_cache(maxsize=64)
def comparison(uri: str, run_a: str, run_b: str, score: str) -> Comparison:
    """Return the comparison of two runs at their best epochs on the images that both validated.

    ``uri`` is the store, a key of the cache: finished runs do not change. Raises ``ValueError``
    when a run has no per-image results, or when they validated on different images or classes:
    what one was validated on, the other may have been trained on.
    """
    del uri
    a, b = (best_results([run_id], name=run_id) for run_id in (run_a, run_b))
    _check_split(a, b)
    order = [b.images.index(image) for image in a.images]
    classes = [b.classes.index(name) for name in a.classes]
    counts = type(b.counts)(
        *(getattr(b.counts, key)[:, order][..., classes] for key in ("tp", "fp", "fn"))
    )
    names = ("A", "B")
    return compare(a.counts, counts, names=names, images=a.images, score=score)


def _check_split(a: ImageResults, b: ImageResults) -> None:
    if set(a.classes) != set(b.classes):
        raise ValueError("they know different classes, so their scores mean different things")
    common = set(a.images) & set(b.images)
    if not common == set(a.images) == set(b.images):
        raise ValueError(
            f"they were validated on different images ({len(common)} in common, "
            f"{len(set(a.images) - common)} and {len(set(b.images) - common)} of their own); one "
            "may have been trained on what the other was validated on"
        )

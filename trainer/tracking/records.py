"""What a read of the store returns, whichever way it was read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

CHANGED_PARAM = "segscope.param."
"""Begins the tags that hold what parameters became: MLflow lets none be changed once it is set."""


def true_params(params: Mapping[str, str], tags: Mapping[str, str]) -> dict[str, str]:
    """Return a run's parameters as it was last trained: a tag of `CHANGED_PARAM` comes first."""
    changed = {
        tag.removeprefix(CHANGED_PARAM): value
        for tag, value in tags.items()
        if tag.startswith(CHANGED_PARAM)
    }
    return {**params, **changed}


class MetricColumns(NamedTuple):
    """Logged values, column by column, all of one length; ``timestamp`` in ms since 1970."""

    run_id: Sequence[str]
    metric: Sequence[str]
    step: Sequence[int]
    value: Sequence[float | None]
    timestamp: Sequence[int]


class Page(NamedTuple):
    """A part of the runs of a store, and whether it is the last one."""

    records: "list[RunRecord]"
    last: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRecord:
    """One run with its parameters, tags and the latest value of each metric; times in ms."""

    run_id: str
    name: str
    status: str
    start: int | None
    end: int | None
    archived: bool
    experiment_id: str
    experiment: str
    user: str
    artifact_uri: str
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float]
    last_step: int
    last_logged: int | None = None

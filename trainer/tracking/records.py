"""What a read of the store returns, whichever way it was read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


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

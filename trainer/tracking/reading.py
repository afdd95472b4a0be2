"""Read the store in bulk: tables of runs and full histories, never down-sampled.

A store that is a database is read by read-only SQL, one behind a server through its requests; both
give the same tables. Nothing here keeps a connection or remembers anything: caching is the
dashboard's.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import chain
from typing import Protocol

import numpy as np
import pandas as pd

from trainer.analysis.headline import headline
from trainer.store import tracking_uri
from trainer.tracking.formats import later_format
from trainer.tracking.records import MetricColumns, Page, RunRecord, true_params
from trainer.tracking.rest_reads import RestReader
from trainer.tracking.sql_reads import SqlReader
from trainer.tracking.standing import state, with_dead

LARGEST = 1.7e308  # MLflow stores an infinity as the largest double.
LAST_MS = 2**63 // 10**6  # What nanoseconds reach, in the year 2262; the first is as far back.

SWEEP = "sweep"
"""The kind of the run that stands for a whole search."""
NO_TRAINING = (SWEEP, "lr-find")
"""The kinds of runs of ours that are no trainings."""
_TAG_COLUMNS = {
    "outcome": "segscope.outcome",
    "kind": "segscope.kind",
    "sweep": "segscope.sweep",
    "trial": "segscope.trial",
    "reason": "segscope.reason",
    "seed_group": "segscope.seed_group",
    "data": "segscope.data",
    "parent": "mlflow.parentRunId",
    "note": "mlflow.note.content",
}


class Reader(Protocol):
    """A way to read a store in bulk."""

    def runs(self, since: int | None = None) -> list[RunRecord]:
        """Return all runs, or those that may have changed since ``since`` milliseconds."""

    def pages(self) -> Iterator[Page]:
        """Yield all runs, the newest first, in parts where all at once would take long."""

    def chosen(self, run_ids: Sequence[str]) -> list[RunRecord]:
        """Return those of the runs that the store has."""

    def history(
        self, run_ids: Sequence[str], keys: Sequence[str], since: int | None = None
    ) -> list[MetricColumns]:
        """Return every logged value of the metrics, in pieces and in any order."""


def open_reader(uri: str | None = None) -> Reader:
    """Return the way to read the store at ``uri``, the current one when left out."""
    address = uri or tracking_uri()
    return (
        RestReader(address) if address.startswith(("http://", "https://")) else SqlReader(address)
    )


def list_runs(uri: str | None = None) -> pd.DataFrame:
    """Return one row a run, newest first, indexed by ``run_id``; archived runs too.

    Columns: ``name, status, outcome, state`` (one word for how it stands, see
    `trainer.tracking.standing`), ``kind, experiment, experiment_id, started, ended, last_heard``
    (UTC; the last metric), ``archived, user, artifact_uri, last_step, parent, sweep, trial, reason,
    seed_group, data, note``, ``headline`` (the metric that the run is judged by, empty where
    nothing tells), then ``params.*`` (see `true_params`) and ``tags.*`` (text, missing where not
    set) and ``metrics.*`` (the latest value, NaN where never logged). Raises ``ValueError`` when
    the store cannot be read.
    """
    return _told(open_reader(uri).runs(), uri)


def run_pages(uri: str | None = None) -> Iterator[tuple[pd.DataFrame, bool]]:
    """Yield the table of `list_runs` in parts, the newest runs first, and whether it is the last.

    A database gives all at once; a server takes seconds for every thousand runs. A run that comes
    twice is the same.
    """
    for page in open_reader(uri).pages():
        yield _told(page.records, uri), page.last


def chosen_runs(run_ids: Iterable[str], uri: str | None = None) -> pd.DataFrame:
    """Return the rows of `list_runs` of some runs; of those that the store has."""
    return _told(open_reader(uri).chosen(list(run_ids)), uri)


def latest_changes(since: int, uri: str | None = None) -> pd.DataFrame:
    """Return, as `list_runs` does, the runs still going and those begun or ended since then.

    ``since`` is in milliseconds since 1970. `updated` puts the result into an older table.
    """
    return _told(open_reader(uri).runs(since), uri)


def updated(runs: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Return the table ``runs`` with the rows of ``changes`` replaced or added."""
    if changes.empty:
        return runs
    kept = runs.loc[~runs.index.isin(changes.index)]
    return _newest_first(pd.concat([changes, kept])) if len(kept) else changes


def runs_table(records: Sequence[RunRecord]) -> pd.DataFrame:
    """Return the table of `list_runs` from records, each run as it says itself that it stands."""
    params = [true_params(r.params, r.tags) for r in records]
    columns: dict[str, object] = {
        "name": [r.name for r in records],
        "status": [r.status for r in records],
        "state": pd.array(
            [state(r.status, r.tags.get(_TAG_COLUMNS["outcome"])) for r in records], dtype="str"
        ),
        "experiment": [r.experiment for r in records],
        "experiment_id": [r.experiment_id for r in records],
        "started": _times([r.start for r in records]),
        "ended": _times([r.end for r in records]),
        "last_heard": _times([r.last_logged for r in records]),
        "archived": [r.archived for r in records],
        "user": [r.user for r in records],
        "artifact_uri": [r.artifact_uri for r in records],
        "last_step": [r.last_step for r in records],
        "logged_metrics": pd.Series([frozenset(r.metrics) for r in records], dtype=object).array,
    }
    for name, tag in _TAG_COLUMNS.items():
        columns[name] = pd.array([r.tags.get(tag) for r in records], dtype="str")
    later = [later_format(r.tags) or r.tags.get(_TAG_COLUMNS["reason"]) for r in records]
    columns["reason"] = pd.array(later, dtype="str")
    columns["headline"] = pd.array(
        [headline(r.metrics, params=r.params, tags=r.tags) for r in records], dtype="str"
    )
    columns |= _text_columns("params.", params)
    columns |= _number_columns("metrics.", [r.metrics for r in records])
    columns |= _text_columns("tags.", [r.tags for r in records])
    index = pd.Index([r.run_id for r in records], name="run_id", dtype="str")
    return _newest_first(pd.DataFrame(columns, index=index))


def histories(
    run_ids: Iterable[str],
    metrics: Iterable[str],
    *,
    since: int | None = None,
    uri: str | None = None,
) -> pd.DataFrame:
    """Return every logged value: columns ``run_id, metric, step, value, timestamp``.

    The first two are categories.
    Sorted by run, metric, timestamp, step and value, as MLflow returns one run's; ``since`` leaves
    out values logged before that many milliseconds since 1970. Infinities that MLflow stored as
    the largest number are infinite again. Nothing is sampled or dropped: a step logged twice has
    two rows, which `trainer.analysis.history.newest` reduces.
    """
    return history_table(open_reader(uri).history(list(run_ids), list(metrics), since))


def history_table(pieces: Sequence[MetricColumns]) -> pd.DataFrame:
    """Return the table of `histories` from pieces."""
    columns = [list(chain.from_iterable(column)) for column in zip(*pieces, strict=True)]
    run_id, metric, step, value, timestamp = columns or ([], [], [], [], [])
    values = np.array(value, dtype=float)
    values[values >= LARGEST] = np.inf
    values[values <= -LARGEST] = -np.inf
    run_codes, runs = _codes(run_id)
    metric_codes, metrics = _codes(metric)
    table = pd.DataFrame(
        {
            "run_id": pd.Categorical.from_codes(run_codes, runs),
            "metric": pd.Categorical.from_codes(metric_codes, metrics),
            "step": np.array(step, dtype=np.int64),
            "value": values,
            "timestamp": np.array(timestamp, dtype=np.int64),
        }
    )
    order = np.lexsort((values, table["step"], table["timestamp"], metric_codes, run_codes))
    return table.iloc[order].reset_index(drop=True)


def _told(records: Sequence[RunRecord], uri: str | None) -> pd.DataFrame:
    address = uri or tracking_uri()
    return with_dead(runs_table(records), address, partial(_longest_epochs, address))


def _longest_epochs(uri: str, runs: pd.DataFrame) -> "pd.Series[float]":
    """Return for each run the most seconds between two epochs of a metric; NaN below three epochs.

    The metric is the headline; any, where a run has none.
    """
    metrics = set(runs["headline"]) - {""}
    metrics |= set().union(*runs.loc[runs["headline"] == "", "logged_metrics"])
    heard = tuple(zip(runs.index, runs["last_heard"], strict=True))
    return _longest_waits(uri, heard, tuple(sorted(metrics))).reindex(runs.index)


# A dashboard asks each second; what is known of a run stands until it is heard of again.
@lru_cache(maxsize=4)
def _longest_waits(
    uri: str, heard: tuple[tuple[str, pd.Timestamp], ...], metrics: tuple[str, ...]
) -> "pd.Series[float]":
    logged = histories([run_id for run_id, _ in heard], metrics, uri=uri)
    times = logged.groupby(["run_id", "metric"], observed=True)["timestamp"].unique()
    waits = times[times.map(len) > 2].map(lambda of_metric: np.diff(np.sort(of_metric)).max())
    return waits.groupby("run_id", observed=True).max() / 1000


def _codes(names: list[str]) -> tuple[np.ndarray, pd.Index]:
    codes, uniques = pd.factorize(np.array(names, dtype=object), sort=True)
    return codes, pd.Index(uniques, dtype="str")


def _times(values: Sequence[int | None]) -> pd.DatetimeIndex:
    # What is no time, and any store may hold it, is missing.
    ms = pd.array([v if v is None or abs(v) < LAST_MS else None for v in values], dtype="Int64")
    return pd.DatetimeIndex(pd.to_datetime(ms, unit="ms", utc=True, errors="coerce"))


def _text_columns(prefix: str, pairs: Sequence[dict[str, str]]) -> dict[str, object]:
    columns: dict[str, list[str | None]] = {}
    for row, of_run in enumerate(pairs):
        for key, value in of_run.items():
            if key not in columns:
                columns[key] = [None] * len(pairs)
            columns[key][row] = value
    return {prefix + key: pd.array(columns[key], dtype="str") for key in sorted(columns)}


def _number_columns(prefix: str, pairs: Sequence[dict[str, float]]) -> dict[str, object]:
    columns: dict[str, np.ndarray] = {}
    for row, of_run in enumerate(pairs):
        for key, value in of_run.items():
            if key not in columns:
                columns[key] = np.full(len(pairs), np.nan)
            columns[key][row] = value
    return {prefix + key: columns[key] for key in sorted(columns)}


def _newest_first(runs: pd.DataFrame) -> pd.DataFrame:
    return runs.sort_values("started", ascending=False, kind="stable", na_position="last")

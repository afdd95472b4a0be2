"""Bulk reads straight from MLflow's database: the one place that knows its tables.

MLflow has no public call for many histories at once; one call a run takes minutes on a store of
thousands. Every read here opens its own read-only connection and closes it again, in pieces short
enough that a writer waits for none of them. The tests compare each read with MLflow's public API.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, TextClause, bindparam, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from trainer.extras import missing
from trainer.store import check_there, read_only, sqlite_path, without_password
from trainer.tracking.records import MetricColumns, Page, RunRecord

RUNS_A_QUERY = 500
_JSON_OBJECT = {"sqlite": "json_group_object", "postgresql": "json_object_agg"}

_RUNS = """
SELECT run_uuid, name, status, start_time, end_time, lifecycle_stage, experiment_id, user_id,
       artifact_uri
FROM runs
"""
_CHANGED = """
WHERE status IN ('RUNNING', 'SCHEDULED') OR start_time >= :since OR end_time >= :since
   OR deleted_time >= :since
"""
_CHOSEN = "WHERE run_uuid IN :chosen"
_EXPERIMENTS = "SELECT experiment_id, name FROM experiments"
_PAIRS = "SELECT run_uuid, {json_object}(key, value) FROM {table} {where} GROUP BY run_uuid"
_LATEST = "SELECT run_uuid, key, value, is_nan, step, timestamp FROM latest_metrics {where}"
_HISTORY_INDEX = "index_metrics_run_uuid_key_step"
_HISTORY = """
SELECT run_uuid, key, step, CASE WHEN is_nan THEN NULL ELSE value END, timestamp
FROM metrics {indexed}
WHERE run_uuid IN :runs AND key IN :keys AND timestamp >= :since
"""


class SqlReader:
    """Reads a store that is a SQLite or PostgreSQL database.

    Raises ``ValueError`` when the database cannot be opened or is not an MLflow store.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def runs(self, since: int | None = None) -> list[RunRecord]:
        """Return all runs, archived ones too, or those that may have changed since ``since`` ms.

        A run may change as long as it is running; one that started, ended or was archived since
        is new. Restored runs and changed tags are only seen by reading all.
        """
        if since is None:
            return self._records(text(_RUNS), {}, every=True)
        return self._records(text(_RUNS + _CHANGED), {"since": since})

    def pages(self) -> Iterator[Page]:
        """Yield all runs at once: a database answers in seconds."""
        yield Page(self.runs(), last=True)

    def chosen(self, run_ids: Sequence[str]) -> list[RunRecord]:
        """Return those of the runs that the store has."""
        statement = text(_RUNS + _CHOSEN).bindparams(bindparam("chosen", expanding=True))
        return [
            record
            for some in _pieces(list(run_ids))
            for record in self._records(statement, {"chosen": some})
        ]

    def _records(
        self, statement: TextClause, values: dict[str, Any], *, every: bool = False
    ) -> list[RunRecord]:
        with self._connection() as connection:
            rows = connection.execute(statement, values).all()
            names: dict[int, str] = dict(_execute(connection, _EXPERIMENTS, {}))
            chosen = None if every else [row.run_uuid for row in rows]
            params = self._pairs(connection, "params", chosen)
            tags = self._pairs(connection, "tags", chosen)
            metrics, last_steps, last_logged = self._latest(connection, chosen)
        return [
            RunRecord(
                run_id=row.run_uuid,
                name=row.name or tags.get(row.run_uuid, {}).get("mlflow.runName", ""),
                status=row.status or "",
                start=row.start_time,
                end=row.end_time,
                archived=row.lifecycle_stage == "deleted",
                experiment_id=str(row.experiment_id),
                experiment=names.get(row.experiment_id, ""),
                user=row.user_id or "",
                artifact_uri=row.artifact_uri or "",
                params=params.get(row.run_uuid, {}),
                tags=tags.get(row.run_uuid, {}),
                metrics=metrics.get(row.run_uuid, {}),
                last_step=last_steps.get(row.run_uuid, 0),
                last_logged=last_logged.get(row.run_uuid),
            )
            for row in rows
        ]

    def history(
        self, run_ids: Sequence[str], keys: Sequence[str], since: int | None = None
    ) -> list[MetricColumns]:
        """Return every logged value of the metrics in pieces; a NaN is None."""
        found: list[MetricColumns] = []
        for some in _pieces(run_ids):
            values = {"runs": some, "keys": list(keys), "since": since or 0}
            with self._connection() as connection:
                rows = _fetch(connection, _history_statement(connection), values)
            if rows:
                found.append(MetricColumns(*zip(*rows, strict=True)))
        return found

    def _pairs(
        self, connection: Connection, table: str, run_ids: Sequence[str] | None
    ) -> dict[str, dict[str, str]]:
        function = _JSON_OBJECT[connection.dialect.name]
        found: dict[str, dict[str, str]] = {}
        for where, values in _restrictions(run_ids):
            statement = _PAIRS.format(json_object=function, table=table, where=where)
            for run_id, pairs in _execute(connection, statement, values):
                found[run_id] = json.loads(pairs) if isinstance(pairs, str) else pairs
        return found

    def _latest(
        self, connection: Connection, run_ids: Sequence[str] | None
    ) -> tuple[dict[str, dict[str, float]], dict[str, int], dict[str, int]]:
        metrics: dict[str, dict[str, float]] = {}
        last_steps: dict[str, int] = {}
        last_logged: dict[str, int] = {}
        for where, values in _restrictions(run_ids):
            for run_id, key, value, is_nan, step, time in _execute(
                connection, _LATEST.format(where=where), values
            ):
                metrics.setdefault(run_id, {})[key] = float("nan") if is_nan else value
                last_steps[run_id] = max(step, last_steps.get(run_id, step))
                last_logged[run_id] = max(time, last_logged.get(run_id, time))
        return metrics, last_steps, last_logged

    def _connection(self) -> Any:
        return _Connecting(self._uri)


class _Connecting:
    """A read-only connection for one ``with`` block, its errors turned into one clear line."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def __enter__(self) -> Connection:
        database = sqlite_path(self._uri)
        check_there(database)
        try:
            self._connection = _engine(database or self._uri).connect()
        except (SQLAlchemyError, sqlite3.Error, ImportError) as error:
            shown = without_password(self._uri)
            raise ValueError(f"store: cannot open {shown}: {_line(error)}") from error
        return self._connection

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._connection.close()
        if isinstance(error, SQLAlchemyError):
            shown = without_password(self._uri)
            raise ValueError(f"store: cannot read {shown}: {_line(error)}") from error


@lru_cache(maxsize=8)
def _engine(place: Path | str) -> Engine:
    """Return the engine of a SQLite file, whole, since relative paths move; or of an address."""
    if isinstance(place, Path):
        return create_engine(
            "sqlite://",
            creator=lambda: sqlite3.connect(read_only(place), uri=True, timeout=20),
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
        )
    if make_url(place).get_backend_name() not in _JSON_OBJECT:
        shown = without_password(place)
        raise ValueError(f"store: {shown} is neither SQLite nor PostgreSQL; use its server")
    return create_engine(
        place,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={"options": "-c default_transaction_read_only=on -c statement_timeout=60000"},
    )


def _history_statement(connection: Connection) -> TextClause:
    # Without statistics, and nothing gathers any as a store grows, SQLite's planner walks the
    # primary key: the metric's values of every run there is. So the index is named.
    indexed = f"INDEXED BY {_HISTORY_INDEX}" if _has_history_index(connection) else ""
    return text(_HISTORY.format(indexed=indexed)).bindparams(
        bindparam("runs", expanding=True), bindparam("keys", expanding=True)
    )


def _has_history_index(connection: Connection) -> bool:
    # A database that no recent MLflow has migrated lacks it, and to name it would be an error.
    # PostgreSQL gathers statistics by itself and takes no such hint.
    if connection.dialect.name != "sqlite":
        return False
    named = "SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = :name"
    return connection.execute(text(named), {"name": _HISTORY_INDEX}).first() is not None


def _execute(connection: Connection, statement: str, values: dict[str, Any]) -> list[Any]:
    prepared = text(statement)
    if "runs" in values:
        prepared = prepared.bindparams(bindparam("runs", expanding=True))
    return _fetch(connection, prepared, values)


def _fetch(connection: Connection, statement: TextClause, values: dict[str, Any]) -> list[Any]:
    # Plain tuples from the driver: SQLAlchemy's rows cost three times the query.
    cursor = connection.execute(statement, values).cursor
    assert cursor is not None, "a SELECT has a cursor"
    return list(cursor.fetchall())


def _restrictions(run_ids: Sequence[str] | None) -> Iterator[tuple[str, dict[str, Any]]]:
    if run_ids is None:
        yield "", {}
        return
    for some in _pieces(run_ids):
        yield "WHERE run_uuid IN :runs", {"runs": some}


def _pieces(run_ids: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(run_ids), RUNS_A_QUERY):
        yield list(run_ids[start : start + RUNS_A_QUERY])


def _line(error: BaseException) -> str:
    if (absent := missing(error)) is not None:
        return absent
    cause = getattr(error, "orig", None) or error
    return str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__

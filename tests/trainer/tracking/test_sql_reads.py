"""How SQLite goes about our reads: a plan that walks too much answers right, only late."""

import contextlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import event

from trainer.store import sqlite_path
from trainer.tracking import reading, sql_reads

ROOT = Path(__file__).parents[3]
RUNS = 600  # More than one query takes.
INDEX = "index_metrics_run_uuid_key_step"
THROUGH_THE_INDEX = f"SEARCH metrics USING INDEX {INDEX} (run_uuid=? AND key=?)"

Statement = tuple[str, Any]


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the database of a store that grew without statistics; do not write to it."""
    path = tmp_path_factory.mktemp("grown") / "mlflow.db"
    command = [
        sys.executable,
        str(ROOT / "benchmarks/build_store.py"),
        "--uri",
        f"sqlite:///{path}",
        "--runs",
        str(RUNS),
        "--epochs",
        "4",
    ]
    subprocess.run(command, check=True, capture_output=True)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert not has_statistics(connection), "MLflow gathers statistics by now"
    return path


@pytest.fixture
def copied(grown: Path, tmp_path: Path) -> Path:
    return Path(shutil.copyfile(grown, tmp_path / "mlflow.db"))


def has_statistics(connection: sqlite3.Connection) -> bool:
    tables = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'")
    return tables.fetchone() is not None


def none(connection: sqlite3.Connection) -> None:
    """Leave the store as training grew it."""


def of_an_empty_store(connection: sqlite3.Connection) -> None:
    """Leave what ANALYZE left in a store that was new: nothing of the tables then empty."""
    connection.execute("ANALYZE")
    connection.execute("DELETE FROM sqlite_stat1 WHERE tbl NOT IN ('alembic_version')")


def full(connection: sqlite3.Connection) -> None:
    """Gather everything, as somebody does by hand."""
    connection.execute("ANALYZE")


def misleading(connection: sqlite3.Connection) -> None:
    """Say that a metric has one value and a run a million, as no store of ours."""
    connection.execute("ANALYZE")
    connection.execute(
        "UPDATE sqlite_stat1 SET stat = '9000000 1 1 1 1 1 1' "
        "WHERE idx = 'sqlite_autoindex_metrics_1'"
    )
    connection.execute(
        "UPDATE sqlite_stat1 SET stat = '9000000 1000000 900000 9000' WHERE idx = ?", [INDEX]
    )


@contextlib.contextmanager
def executed(uri: str) -> Iterator[list[Statement]]:
    """Collect what is sent to the store at ``uri``, with its values."""
    statements: list[Statement] = []

    def keep(
        connection: Any, cursor: Any, statement: str, values: Any, context: Any, many: bool
    ) -> None:
        statements.append((statement, values))

    engine = sql_reads._engine(sqlite_path(uri) or uri)
    event.listen(engine, "before_cursor_execute", keep)
    yield statements
    event.remove(engine, "before_cursor_execute", keep)


def plans(database: Path, statements: list[Statement]) -> list[list[str]]:
    """Return how SQLite goes about each statement that reads the table of metrics."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return [
            [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
            for statement, values in statements
            if "FROM metrics" in statement
        ]


@pytest.mark.parametrize("statistics", [none, of_an_empty_store, full, misleading])
@pytest.mark.parametrize("runs", [1, 100, RUNS])
@pytest.mark.parametrize("keys", [1, 2, 8])
def test_a_history_is_read_by_run_and_metric(
    copied: Path, statistics: Callable[[sqlite3.Connection], None], runs: int, keys: int
) -> None:
    uri = f"sqlite:///{copied}"
    with contextlib.closing(sqlite3.connect(copied)) as connection, connection:
        statistics(connection)
    table = reading.list_runs(uri)
    chosen = list(table.index[:runs])
    logged = {key for run_id in chosen for key in table.loc[run_id, "logged_metrics"]}
    names = ["val/dice", *sorted(logged - {"val/dice"})][:keys]
    with executed(uri) as statements:
        for since in (None, 1):
            assert len(reading.histories(chosen, names, since=since, uri=uri)) >= runs
    pieces = -(-runs // sql_reads.RUNS_A_QUERY)
    assert plans(copied, statements) == [[THROUGH_THE_INDEX]] * 2 * pieces


def test_a_database_older_than_the_index_is_read_all_the_same(copied: Path) -> None:
    uri = f"sqlite:///{copied}"
    runs = list(reading.list_runs(uri).index[:20])
    by_index = reading.histories(runs, ["val/dice", "lr"], uri=uri)
    with contextlib.closing(sqlite3.connect(copied)) as connection:
        connection.execute(f"DROP INDEX {INDEX}")
    assert len(by_index)
    pd.testing.assert_frame_equal(reading.histories(runs, ["val/dice", "lr"], uri=uri), by_index)

"""Odd but legal rows of a store cost a cell or a line, never a page."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.dashboard.conftest import open_app, own_store  # noqa: F401  the fixtures
from tests.reliability.rubbish import DEEP, PAGES, bounded
from trainer.tracking import artifacts, reading

LONG = "x" * 10_000_000
Change = tuple[str, str, Any]


def column(name: str, *values: Any) -> list[Change]:
    return [("runs", name, value) for value in values]


def tags(*names: str) -> list[Change]:
    odd = ("", "[[[", "{}", "[1, null, {}]", "[" * DEEP, LONG, "\x00\x1b[31m<b>x</b>")
    return [("tags", name, value) for name in names for value in odd]


def params(*names: str) -> list[Change]:
    odd = ("", "NaN", "1e999", "x" * 6000, "\x00")
    return [("params", name, value) for name in names for value in odd]


PLACES = (
    *("s3://b/x", "gs://b/x", "r2://x@y/z", "wasbs://c@a.b/x", "abfss://x@y/z", "hdfs://h/x"),
    *("viewfs://x", "ftp://", "dbfs:/x", "http://[::1", "mlflow-artifacts:/x"),
    *("nonsense://x", "file://host/p", "file:///x\x00y", f"file:///{'x' * 300}", "runs:/a/b"),
    *("", "relative/path"),
)
ROWS: dict[str, list[Change]] = {
    "places": column("artifact_uri", *PLACES),
    "times": [
        *column("start_time", -(10**14), 9 * 10**15, 2**63 - 1, -(2**63), None),
        *column("end_time", -(10**14), 9 * 10**15, 2**63 - 1, None),
    ],
    "states": [
        *column("status", None),
        *column("name", None, LONG, "\x00"),
        *column("user_id", None, LONG),
    ],
    "tags": tags(
        *("mlflow.note.content", "mlflow.parentRunId", "mlflow.runName", "segscope.classes"),
        *("segscope.headline", "segscope.heartbeat", "segscope.kind", "segscope.outcome"),
        *("segscope.param.epochs", "segscope.reason", "segscope.stability_of", "segscope.sweep"),
    ),
    "params": params("epochs", "threads", "lr", "image_size", "model", "monitor", "trimap_border"),
    "steps": [
        *(("metrics", "val/dice", step) for step in (2**62, -(2**63), 2**53, -5)),
        *(("metrics", "lr", step) for step in (2**62, -(2**63))),
        *(("metrics", "best/epoch", value) for value in (float("nan"), 1e300, -5.5, 1.7e308)),
    ],
}


def write(database: Path, run_id: str, change: Change) -> None:
    kind, name, value = change
    with closing(sqlite3.connect(database)) as connection, connection:
        if kind == "runs":
            connection.execute(f"UPDATE runs SET {name} = ? WHERE run_uuid = ?", (value, run_id))
        elif kind != "metrics":
            said = f"INSERT OR REPLACE INTO {kind} (key, value, run_uuid) VALUES (?, ?, ?)"
            connection.execute(said, (name, value, run_id))
        else:
            of_step = name != "best/epoch"
            step, number = (value, 0.5) if of_step else (3, value)
            is_nan = number != number
            row = (name, 0 if is_nan else number, 5, run_id, step, is_nan)
            for table in ("metrics", "latest_metrics"):
                connection.execute(
                    f"INSERT OR REPLACE INTO {table} (key, value, timestamp, run_uuid, step, "
                    "is_nan) VALUES (?, ?, ?, ?, ?, ?)",
                    row,
                )


def trained(count: int) -> list[str]:
    runs = reading.list_runs()
    return [str(r) for r in runs.index[(runs["kind"] == "run") & (runs["last_step"] > 5)][:count]]


@pytest.mark.parametrize("kind", ROWS)
def test_the_table_is_read(own_store: str, kind: str) -> None:  # noqa: F811
    run_id, database = trained(1)[0], Path(own_store.removeprefix("sqlite:///"))
    for change in ROWS[kind]:
        write(database, run_id, change)
        with bounded():
            row = reading.list_runs().loc[run_id]
            for path in ("", "samples/index.json"):
                try:
                    artifacts.list_artifacts(run_id, row["artifact_uri"], path)
                    artifacts.artifact_path(run_id, row["artifact_uri"], path)
                except ValueError as error:
                    assert "\n" not in str(error)
                    assert len(str(error)) < 1000


@pytest.mark.parametrize("place", ["r2://x@y/z", "gs://b/x", "wasbs://c@a.b/x"])
def test_a_place_without_its_package_is_told(own_store: str, place: str) -> None:  # noqa: F811
    (run_id,) = trained(1)
    write(Path(own_store.removeprefix("sqlite:///")), run_id, ("runs", "artifact_uri", place))
    whose = f"files of {run_id} cannot be reached: "
    with pytest.raises(ValueError, match=f"{whose}|install it with: pip install") as told:
        artifacts.list_artifacts(run_id, place)
    assert isinstance(told.value.__cause__, ImportError)


EACH = [("run", {"part": "Overview"}), ("run", {"part": "Files"}), ("compare", {})]


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        pytest.param(
            kind, change, id=f"{kind}-{change[1]}-{number}", marks=[pytest.mark.slow] * bool(number)
        )
        for kind, changes in ROWS.items()
        for number, change in enumerate(changes)
        # Each takes some seconds: all of them where a longer search is asked for.
        if number % 6 == 0 or "SEGSCOPE_RUBBISH" in os.environ
    ],
)
def test_no_page_dies_of_a_row(
    own_store: str,  # noqa: F811
    open_app: Callable[..., AppTest],  # noqa: F811
    kind: str,
    change: Change,
) -> None:
    one, other = trained(2)
    write(Path(own_store.removeprefix("sqlite:///")), one, change)
    open_app()
    for page, query in PAGES if kind in ("places", "steps") else EACH:
        open_app(page, run=one, runs=f"{one},{other}", **query)

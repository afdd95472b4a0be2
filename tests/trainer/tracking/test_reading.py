"""The bulk reads against MLflow's public API, on real stores of both kinds."""

import math
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType

from trainer.analysis.history import newest
from trainer.tracking import filtering, reading
from trainer.tracking.rest_reads import RestReader


def fill(client: MlflowClient) -> list[str]:
    """Log runs by the public API that hold every awkward value, and return their ids."""
    experiments = [client.create_experiment(name) for name in ("grid", "odd · names")]
    ids = []
    for number in range(7):
        run = client.create_run(
            experiments[number % 2], run_name=f"run {number}", tags={"colour": "blå"}
        )
        ids.append(run.info.run_id)
        metrics = [
            Metric("val/dice", value, 1_700_000_000_000 + step, step)
            for step, value in enumerate(
                [0.1 + 0.2, 1 / 3, math.nan, math.inf, 0.9][: number + 1], 1
            )
        ]
        metrics.append(Metric("val/dice", 0.123456789012345678, 1_800_000_000_000, 1))
        metrics.append(Metric("lr", 10.0 ** -(number + 1), 5, 1))
        client.log_batch(
            run.info.run_id,
            metrics=metrics,
            params=[Param("lr", f"{number}e-4"), Param("quote", 'say "hi" \\ \n 100 %')],
            tags=[RunTag("segscope.outcome", "completed"), RunTag("note 1", "a%b_c")],
        )
        if number % 3 == 0:
            client.set_terminated(run.info.run_id, "FINISHED")
    client.set_terminated(ids[1], "FAILED")
    client.delete_run(ids[2])
    client.create_run(experiments[0], run_name="empty")
    return ids


@pytest.fixture
def local(store: Path) -> tuple[MlflowClient, str]:
    uri = os.environ["MLFLOW_TRACKING_URI"]
    client = MlflowClient(uri)
    fill(client)
    return client, uri


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MlflowClient, str]]:
    folder = tmp_path_factory.mktemp("server")
    database = f"sqlite:///{folder}/mlflow.db"
    MlflowClient(database).search_experiments()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--backend-store-uri",
        database,
        "--artifacts-destination",
        str(folder / "artifacts"),
        "--workers",
        "1",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    uri = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{uri}/health")
        client = MlflowClient(uri)
        fill(client)
        yield client, uri
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_for(address: str) -> None:
    for _ in range(120):
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError(f"{address} did not answer within a minute")


def every_run(client: MlflowClient) -> dict[str, object]:
    experiments = [e.experiment_id for e in client.search_experiments(view_type=ViewType.ALL)]
    runs = client.search_runs(experiments, run_view_type=ViewType.ALL)
    return {run.info.run_id: run for run in runs}


def check_runs(client: MlflowClient, uri: str) -> None:
    expected = every_run(client)
    table = reading.list_runs(uri)
    assert set(table.index) == set(expected)
    for run_id, run in expected.items():
        row = table.loc[run_id]
        assert row["name"] == run.info.run_name
        assert row["status"] == run.info.status
        assert row["archived"] == (run.info.lifecycle_stage == "deleted")
        assert row["started"] == pd.Timestamp(run.info.start_time, unit="ms", tz="UTC")
        assert row["artifact_uri"] == run.info.artifact_uri
        ended = run.info.end_time
        assert pd.isna(row["ended"]) if ended is None else row["ended"].value // 10**6 == ended
        for prefix, pairs in (("params.", run.data.params), ("tags.", run.data.tags)):
            of_kind = row[[c for c in table.columns if c.startswith(prefix)]].dropna()
            assert {c.removeprefix(prefix): v for c, v in of_kind.items()} == pairs
        assert row["logged_metrics"] == frozenset(run.data.metrics)
        for key, value in run.data.metrics.items():
            assert row[f"metrics.{key}"] == value or math.isnan(value)
    assert list(table["started"]) == sorted(table["started"], reverse=True)


def check_parts(uri: str, parts: int) -> None:
    """Runs asked for by id, and all of them part by part, are the same rows."""
    whole = reading.list_runs(uri)
    some = [*whole.index[::3], "0" * 32, "no id'"]
    assert_same_rows(reading.chosen_runs(some, uri), whole.iloc[::3])
    assert reading.chosen_runs([], uri).empty
    pages = list(reading.run_pages(uri))
    assert [last for _, last in pages] == [False] * (parts - 1) + [True]
    together = pages[0][0]
    for page, _ in pages[1:]:
        assert together["started"].min() >= page["started"].max()
        together = reading.updated(together, page)
    assert_same_rows(together, whole)


def assert_same_rows(some: pd.DataFrame, others: pd.DataFrame) -> None:
    # A column that none of the runs has may be absent or empty.
    some, others = (
        t.sort_index().dropna(axis=1, how="all").sort_index(axis=1) for t in (some, others)
    )
    pd.testing.assert_frame_equal(some, others, check_dtype=False)


def check_histories(client: MlflowClient, uri: str) -> None:
    runs = every_run(client)
    table = reading.histories(runs, ["val/dice", "lr", "never logged"], uri=uri)
    assert set(table["metric"]) == {"val/dice", "lr"}
    for run_id in runs:
        for key in ("val/dice", "lr"):
            mine = table[(table["run_id"] == run_id) & (table["metric"] == key)]
            theirs = client.get_metric_history(run_id, key)
            got = list(zip(mine["timestamp"], mine["step"], mine["value"], strict=True))
            want = [(m.timestamp, m.step, m.value) for m in theirs]
            assert [g[:2] for g in got] == [w[:2] for w in want]
            for (_, _, value), (_, _, other) in zip(got, want, strict=True):
                # MLflow gives an infinity back as the largest double; here it is infinite again.
                both_infinite = math.isinf(value) and other > 1.7e308
                assert value == other or both_infinite or (math.isnan(value) and math.isnan(other))


def check_changes(client: MlflowClient, uri: str) -> None:
    before = reading.list_runs(uri)
    now = int(before["started"].max().value // 10**6) + 1
    running = set(before.index[before["status"] == "RUNNING"])
    assert set(reading.latest_changes(now + 3_600_000, uri).index) == running
    target = sorted(running - set(before.index[before["archived"]]))[0]
    client.log_metric(target, "val/dice", 0.77, step=99)
    client.set_terminated(target, "FINISHED")
    changes = reading.latest_changes(now, uri)
    assert target in changes.index
    merged = reading.updated(before, changes)
    pd.testing.assert_frame_equal(
        merged.sort_index().sort_index(axis=1),
        reading.list_runs(uri).sort_index().sort_index(axis=1),
        check_dtype=False,
    )


FILTERS = [
    "",
    "params.lr = '1e-4'",
    "params.lr != '1e-4'",
    "metrics.`val/dice` > 0.3",
    "metrics.`val/dice` != 0.1234",
    "metrics.lr <= 0.001 and params.lr LIKE '%e-4'",
    "tags.colour = 'blå'",
    "tags.`note 1` ILIKE 'A%'",
    "attributes.status = 'FINISHED'",
    "attributes.status != 'FINISHED'",
    "attributes.run_name LIKE 'run %'",
    "attributes.start_time > 0",
    "params.missing = '1'",
    "params.lr IS NULL",
    "tags.colour IS NOT NULL",
    "metrics.missing < 1",
    "attributes.end_time > 1",
]


def check_filters(client: MlflowClient, uri: str) -> None:
    table = reading.list_runs(uri)
    experiments = sorted(set(table["experiment_id"]))
    for expression in FILTERS:
        found = client.search_runs(experiments, expression, run_view_type=ViewType.ALL)
        mine = table.index[filtering.matching(table, expression)]
        assert set(mine) == {run.info.run_id for run in found}, expression


def test_runs_equal_the_public_api(local: tuple[MlflowClient, str]) -> None:
    check_runs(*local)
    check_parts(local[1], 1)


def test_histories_equal_the_public_api(local: tuple[MlflowClient, str]) -> None:
    check_histories(*local)


def test_changes_complete_an_older_table(local: tuple[MlflowClient, str]) -> None:
    check_changes(*local)


def test_filters_equal_the_public_search(local: tuple[MlflowClient, str]) -> None:
    check_filters(*local)


@pytest.mark.slow
def test_a_server_gives_the_same(
    server: tuple[MlflowClient, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    check_runs(*server)
    check_parts(server[1], 1)
    monkeypatch.setattr("trainer.tracking.rest_reads.RUNS_A_PAGE", 3)
    check_parts(server[1], 3)
    check_runs(*server)
    check_histories(*server)
    check_filters(*server)
    check_changes(*server)


def test_postgresql_gives_the_same() -> None:
    """Needs an empty database: SEGSCOPE_POSTGRES=postgresql+psycopg://user@127.0.0.1:5432/name."""
    uri = os.environ.get("SEGSCOPE_POSTGRES")
    if uri is None:
        pytest.skip(
            "no PostgreSQL here (set SEGSCOPE_POSTGRES to the address of an empty database)"
        )
    client = MlflowClient(uri)
    fill(client)
    check_runs(client, uri)
    check_parts(uri, 1)
    check_histories(client, uri)
    check_filters(client, uri)
    check_changes(client, uri)


@pytest.mark.slow
def test_a_cut_answer_of_the_server_is_completed(
    server: tuple[MlflowClient, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, uri = server
    runs = list(every_run(client))
    whole = reading.histories(runs, ["val/dice"], uri=uri)
    # A limit that one run alone exceeds: the answer is halved, then asked page by page.
    monkeypatch.setattr("trainer.tracking.rest_reads.ROWS_A_REQUEST", 3)
    cut = reading.history_table(RestReader(uri).history(runs, ["val/dice"]))
    pd.testing.assert_frame_equal(cut, whole)


def test_a_malformed_filter_is_refused_in_mlflows_words(local: tuple[MlflowClient, str]) -> None:
    with pytest.raises(ValueError, match="filter: "):
        filtering.matching(reading.list_runs(), "lr 3")


def test_the_newest_row_of_a_step_stays(local: tuple[MlflowClient, str]) -> None:
    client, _ = local
    run_id = next(r for r, run in every_run(client).items() if run.info.run_name == "run 0")
    table = reading.histories([run_id], ["val/dice"])
    assert len(table) > 1
    assert newest(table["step"], table["value"]).values.tolist() == [0.123456789012345678]


def test_a_read_leaves_a_writer_alone(local: tuple[MlflowClient, str]) -> None:
    client, uri = local
    run_id = next(iter(every_run(client)))
    with reading.open_reader(uri)._connection() as connection:  # type: ignore[attr-defined]
        connection.exec_driver_sql("SELECT count(*) FROM metrics").scalar()
        with pytest.raises(Exception, match="readonly"):
            connection.exec_driver_sql("DELETE FROM metrics")
        started = time.perf_counter()
        client.set_tag(run_id, "while", "reading")
        assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("sqlite:////nowhere/at/all.db", "there is no /nowhere/at/all.db; trainer fit begins one"),
        ("mysql://user:secret@localhost/db", "neither SQLite nor PostgreSQL"),
        ("http://127.0.0.1:9", "cannot be reached"),
    ],
)
def test_a_store_that_cannot_be_read_is_named(uri: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        reading.list_runs(uri)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(ValueError, match="store: cannot"):
        reading.list_runs(f"sqlite:///{path}")

"""The client: one store, prepared once, or one clear line."""

import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest

from trainer.config import TrainConfig
from trainer.store import Unreachable
from trainer.tracking import client as client_module
from trainer.tracking import get_run, start_run
from trainer.tracking.client import begin, check_answers, client, experiment_id
from trainer.tracking.reading import histories, list_runs
from trainer.tracking.runs import start_parent

ROOT = Path(__file__).parents[3]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    "begins",
    [
        lambda: start_run(TrainConfig()).id,
        lambda: start_parent("search", experiment="new"),
    ],
    ids=["run", "sweep"],
)
def test_whatever_comes_first_makes_the_store(
    begins: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "not" / "there yet" / "mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    run_id = begins()
    assert database.is_file()
    assert get_run(run_id).info.status == "RUNNING"


def test_one_client_a_store(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client() is client()
    first = client()
    other = tmp_path / "other"
    other.mkdir()
    (other / "mlflow.db").write_bytes((store / "mlflow.db").read_bytes())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{other}/mlflow.db")
    assert client() is not first


def test_a_relative_store_is_meant_from_the_working_directory(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlruns/mlflow.db")
    runs = []
    for name in ("a", "b"):
        folder = tmp_path / name / "mlruns"
        folder.mkdir(parents=True)
        (folder / "mlflow.db").write_bytes((store / "mlflow.db").read_bytes())
        monkeypatch.chdir(tmp_path / name)
        run = start_run(TrainConfig())
        assert run.folder.is_relative_to(folder)
        runs.append(run.id)
    assert get_run(runs[1]).info.run_id == runs[1]
    with pytest.raises(ValueError, match="there is no run"):
        get_run(runs[0])


def test_a_new_store_is_made_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "new folder" / "deep" / "mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    monkeypatch.chdir(tmp_path)
    begin()
    with contextlib.closing(sqlite3.connect(database)) as connection:
        # Readers of a write-ahead log do not block the writer.
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert {path.name for path in tmp_path.iterdir()} == {"new folder"}


@pytest.mark.parametrize("name", ["why?", "a#b", "50%", "a%3Fb", "two words", "Zürich 日本"])
def test_a_store_lies_in_its_folder_whatever_that_is_called(
    name: str, tmp_path: Path, new_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "all" / name
    (folder / "mlruns").mkdir(parents=True)
    shutil.copyfile(new_database, folder / "mlruns" / "mlflow.db")
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run = start_run(TrainConfig())
    run.log_epoch(1, {"val/dice": 0.5})
    run.finish("completed")
    assert run.folder.is_relative_to(folder / "mlruns" / "artifacts")
    url = f"sqlite:///{quote(str(folder / 'mlruns' / 'mlflow.db'))}"
    for uri in (None, url):
        assert list(list_runs(uri).index) == [run.id]
        assert list(histories([run.id], ["val/dice"], uri=uri)["value"]) == [0.5]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
    assert get_run(run.id).data.metrics["val/dice"] == 0.5
    assert [path.name for path in folder.parent.iterdir()] == [name]
    assert [path.name for path in folder.iterdir()] == ["mlruns"]


TOGETHER = """
import sys, time
from pathlib import Path
from trainer.tracking import start_run
from trainer.config import TrainConfig
from trainer.store import Unreachable
Path(sys.argv[1]).touch()
while not Path(sys.argv[2]).exists():
    time.sleep(0.005)
run = start_run(TrainConfig(experiment="together"))
run.log_epoch(1, {"val/dice": 0.5})
run.finish("completed")
"""


@pytest.mark.slow  # four processes import mlflow
def test_four_processes_may_create_the_store_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow alone leaves a database that nothing opens again, four times out of four."""
    uri = f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TOGETHER, str(tmp_path / f"ready{i}"), str(tmp_path / "go")],
            env={**os.environ, "MLFLOW_TRACKING_URI": uri},
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for i in range(4)
    ]
    try:
        deadline = time.monotonic() + 120
        while not all((tmp_path / f"ready{i}").exists() for i in range(4)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        (tmp_path / "go").touch()
        for process in processes:
            _, said = process.communicate(timeout=120)
            assert process.returncode == 0, said
    finally:
        for process in processes:
            process.kill()
    with contextlib.closing(sqlite3.connect(tmp_path / "mlruns" / "mlflow.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (4,)
        named = "SELECT count(*) FROM experiments WHERE name = 'together'"
        assert connection.execute(named).fetchone() == (1,)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert client().get_experiment_by_name("together") is not None


def opening(uri: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the one line that opening the store at ``uri`` gives, within seconds."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    started = time.monotonic()
    with pytest.raises(ValueError) as caught:
        begin()
    assert time.monotonic() - started < 15
    message = str(caught.value)
    assert message.startswith("store: ")
    assert "\n" not in message
    return message


def test_a_server_that_is_not_there_is_said_within_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    message = opening(uri, monkeypatch)
    assert uri in message
    assert "MLFLOW_TRACKING_URI" in message


def test_a_host_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "nowhere.invalid" in opening("http://nowhere.invalid:5000", monkeypatch)


@pytest.fixture
def silent_server() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield int(listening.getsockname()[1])


def test_a_server_that_never_answers_is_said(
    silent_server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "PROBE_SECONDS", 0.5)
    assert "cannot be reached" in opening(f"http://127.0.0.1:{silent_server}", monkeypatch)


@pytest.mark.parametrize("code", [200, 401, 404, 500, 502, 503, 504])
def test_what_answers_is_there_but_for_a_proxy_without_its_server(code: int) -> None:
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(code)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        there = contextlib.nullcontext() if code < 502 else pytest.raises(Unreachable)
        with there as caught:
            check_answers(f"http://me:secret@127.0.0.1:{server.server_port}/below/")
        thread.join()
    assert asked == ["/below/health"]
    assert "secret" not in str(caught)


def test_a_password_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    message = opening(f"http://me:secret@127.0.0.1:{free_port()}", monkeypatch)
    assert "secret" not in message
    assert "me:***@" in message


@pytest.mark.parametrize("uri", ["nonsense://host", "file:///somewhere"])
def test_an_address_of_no_known_kind_is_said(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert uri in opening(uri, monkeypatch)


def test_a_file_that_is_no_database_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"this is no database" * 100)
    assert "mlflow.db" in opening(f"sqlite:///{tmp_path}/mlflow.db", monkeypatch)


def test_a_folder_that_cannot_be_made_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    assert "cannot create" in opening(f"sqlite:///{tmp_path}/file/mlflow.db", monkeypatch)


def test_a_failure_to_open_is_not_remembered(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "mlflow.db"
    database.write_bytes(b"this is no database" * 100)
    opening(f"sqlite:///{database}", monkeypatch)
    database.write_bytes((store / "mlflow.db").read_bytes())
    assert client().search_experiments()


def test_an_experiment_is_made_once(store: Path) -> None:
    first = experiment_id("cars and/or trucks")
    assert experiment_id("cars and/or trucks") == first
    assert client().get_experiment(first).name == "cars and/or trucks"
    location = client().get_experiment(first).artifact_location
    assert location == (store / "artifacts" / "cars-and-or-trucks").as_uri()


@pytest.mark.parametrize("name", ["..", "../../etc", "/etc", "ä ö", "."])
def test_no_name_leads_out_of_the_artifacts(name: str, store: Path) -> None:
    location = client().get_experiment(experiment_id(name)).artifact_location
    run = start_run(TrainConfig(experiment=name))
    assert location.startswith((store / "artifacts").as_uri() + "/")
    assert run.folder.resolve().is_relative_to(store / "artifacts")


def test_a_deleted_experiment_is_said(store: Path) -> None:
    client().delete_experiment(experiment_id("old"))
    with pytest.raises(ValueError, match="experiment: 'old' has been deleted; restore it"):
        start_run(TrainConfig(experiment="old"))


def test_threads_may_create_an_experiment_at_once(store: Path) -> None:
    client()
    barrier, found = threading.Barrier(6), []

    def ask() -> None:
        barrier.wait()
        found.append(experiment_id("shared"))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1

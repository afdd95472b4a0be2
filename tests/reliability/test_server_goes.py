"""The tracking server goes away: training goes on, and the server gets everything in the end."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trainer.config import TrainConfig
from trainer.tracking.reading import histories, list_runs
from trainer.tracking.standing import state

# A tracking server takes long to start, and is started again and again.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

EPOCHS = 6
# A longer campaign stops the server for a minute: SEGSCOPE_SECONDS_AWAY=60.
SECONDS_AWAY = float(os.environ.get("SEGSCOPE_SECONDS_AWAY", "3"))
PATIENCE = 300.0
# Many times what ending a run takes without its server; mlflow alone tries for 495 s.
BOUND = 180.0
SILENT = "the tracking server does not answer; training goes on, and "
BACK = "the store answers again, and has all that waited"
# What a clock, a machine or a process number tells, and what the harm itself is told in.
TIMED = ("time/", "throughput/", "memory/")
TOLD = ("log.txt", "environment.json")


class Server:
    """A real tracking server on one address, which comes and goes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.database = f"sqlite:///{folder}/mlflow.db"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Let it be there, whether it was stopped or is gone."""
        if self._process is None:
            command = [
                *(sys.executable, "-m", "mlflow", "server", "--workers", "1"),
                *("--backend-store-uri", self.database),
                *("--artifacts-destination", str(self.folder / "artifacts")),
                *("--host", "127.0.0.1", "--port", str(self.port)),
            ]
            quiet = subprocess.DEVNULL
            self._process = subprocess.Popen(
                command, stdout=quiet, stderr=quiet, cwd=self.folder, start_new_session=True
            )
        self._signal(signal.SIGCONT)
        until(self._answers)

    def stop(self) -> None:
        """Let it take connections and never answer."""
        self._signal(signal.SIGSTOP)

    def kill(self) -> None:
        """Let it be gone."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        # It has children of its own, and they are all in its session.
        assert self._process is not None and self._process.poll() is None
        os.killpg(self._process.pid, number)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def kept(self, run_id: str) -> dict[str, Any]:
        """Return all that it has of a run and that the same training gives again."""
        row = list_runs(self.database).loc[run_id]
        metrics = histories([run_id], row["logged_metrics"], uri=self.database)
        curves: dict[str, Any] = {}
        for key, logged in metrics.groupby("metric", observed=True):
            timed = str(key).startswith(TIMED)
            curves[str(key)] = [
                logged["step"].to_list(),
                None if timed else [value.hex() for value in logged["value"]],
            ]
        (folder,) = self.folder.glob(f"artifacts/*/{run_id}/artifacts")
        files = [path for path in folder.rglob("*") if path.is_file() and path.name not in TOLD]
        tags = ("segscope.outcome", "segscope.reason", "segscope.data_digest", "segscope.classes")
        return {
            "state": state(row["status"], row["outcome"]),
            "status": row["status"],
            "curves": curves,
            "files": {path.relative_to(folder).as_posix(): path.read_bytes() for path in files},
            "tags": {tag: row[f"tags.{tag}"] for tag in tags},
        }


@pytest.fixture(scope="module")
def the_server(tmp_path_factory: pytest.TempPathFactory, new_database: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    shutil.copyfile(new_database, folder / "mlflow.db")
    server = Server(folder)
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
def server(the_server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Return a server that is there, as the current store."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", the_server.uri)
    the_server.start()
    return the_server


class Training:
    """A training in a process of its own that waits at moments: see `paced`."""

    def __init__(self, folder: Path, config: TrainConfig, *moments: str) -> None:
        self.folder = folder
        self._said, self._out = folder / "stderr.txt", folder / "stdout.txt"
        for left in (*folder.glob("epoch-*"), *folder.glob("file-*")):
            left.unlink()
        (folder / "run.yaml").write_text(config.to_yaml())
        script = Path(__file__).with_name("paced.py")
        command = [sys.executable, str(script), "run.yaml", ".", *moments]
        with self._said.open("w") as said, self._out.open("w") as out:
            self.process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=said)

    def reaches(self, moment: str) -> None:
        """Wait until the moment has come."""

        def come() -> bool:
            assert self.process.poll() is None, self.said()
            return (self.folder / moment).exists()

        until(come)

    def passes(self, moment: str) -> None:
        """Let the training go on."""
        (self.folder / f"{moment}.go").touch()

    def said(self) -> str:
        """Return what it has told so far."""
        return self._said.read_text()

    def ends(self, within: float = PATIENCE) -> str:
        """Wait so many seconds for its end, which is a good one, and return the run's id."""
        assert self.process.wait(within) == 0, self.said()
        assert "Traceback" not in self.said() and "Retrying" not in self.said()
        return self._out.read_text().strip()


def until(come: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not come():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def trains(tmp_path: Path, tiny: TrainConfig, server: Server) -> Iterator[Callable[..., Training]]:
    """Return what starts trainings of one seed; those that still run at the end are killed."""
    started: list[Training] = []

    def train(*moments: str) -> Training:
        config = tiny.replace(epochs=EPOCHS, experiment="goes")
        started.append(Training(tmp_path, config, *moments))
        return started[-1]

    yield train
    for training in started:
        if training.process.poll() is None:
            training.process.kill()
            training.process.wait()


UNDISTURBED: dict[str, Any] = {}


@pytest.fixture
def undisturbed(trains: Callable[..., Training], server: Server) -> dict[str, Any]:
    """Return what the server has of a training that nothing was done to; trained once."""
    if not UNDISTURBED:
        UNDISTURBED.update(server.kept(trains().ends()))
        assert UNDISTURBED["state"] == "completed"
        assert UNDISTURBED["curves"]["val/dice"][0] == list(range(1, EPOCHS + 1))
        assert "checkpoints/best/model.safetensors" in UNDISTURBED["files"]
    return UNDISTURBED


def trainer(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the trainer to its end."""
    command = [sys.executable, "-m", "trainer", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE)


def outbox(folder: Path) -> list[Path]:
    """Return the outboxes in which something waits."""
    return list(folder.glob("mlruns/outbox/*.jsonl"))


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_it_goes_in_the_middle_and_returns(
    how: str, server: Server, trains: Callable[..., Training], undisturbed: dict[str, Any]
) -> None:
    training = trains("epoch-2", "epoch-4")
    training.reaches("epoch-2")
    getattr(server, how)()
    training.passes("epoch-2")
    training.reaches("epoch-4")  # It has not waited.
    until(lambda: SILENT in training.said())
    time.sleep(SECONDS_AWAY)
    server.start()
    until(lambda: BACK in training.said())
    training.passes("epoch-4")
    assert server.kept(training.ends()) == undisturbed
    assert training.said().count(SILENT) == training.said().count(BACK) == 1
    assert "trainer sync" not in training.said()
    assert not outbox(training.folder) and not list(training.folder.glob("mlruns/staging/*"))


@pytest.mark.parametrize("moment", [f"epoch-{EPOCHS}", "file-5"])
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_it_goes_for_good_at_the_end_and_as_files_go_up(
    how: str,
    moment: str,
    server: Server,
    trains: Callable[..., Training],
    undisturbed: dict[str, Any],
) -> None:
    training = trains(moment)
    training.reaches(moment)
    getattr(server, how)()
    training.passes(moment)
    run_id = training.ends(within=BOUND)
    ended = time.time()
    (line,) = [line for line in training.said().splitlines() if "trainer sync" in line]
    assert line.startswith(f"run {run_id}: the tracking server does not answer; ")
    assert line.endswith(f" records are not sent yet; send them with: trainer sync {run_id}")
    assert training.said().count(SILENT) <= 1
    server.start()
    (row,) = json.loads(trainer(training.folder, "runs", "--json", "--limit", "1").stdout)
    assert (row["run_id"], row["state"]) == (run_id, "dead")
    assert row["reason"].endswith(f"send it with: trainer sync {run_id}")
    time.sleep(1.0)
    sent = trainer(training.folder, "sync", run_id)
    assert sent.returncode == 0, sent.stderr
    assert sent.stdout.startswith(run_id) and sent.stdout.endswith(" records sent\n")
    assert server.kept(run_id) == undisturbed
    assert list_runs(server.database).loc[run_id, "ended"].timestamp() <= ended
    assert not outbox(training.folder) and not list(training.folder.glob("mlruns/staging/*"))
    assert trainer(training.folder, "sync").stdout == "nothing waits to be sent\n"


def test_the_next_training_sends_what_is_left(
    server: Server, trains: Callable[..., Training], undisturbed: dict[str, Any]
) -> None:
    first = trains(f"epoch-{EPOCHS}")
    first.reaches(f"epoch-{EPOCHS}")
    server.kill()
    refused = trainer(first.folder, "fit", "--config", "run.yaml")
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1
    assert "cannot be reached" in refused.stderr
    first.passes(f"epoch-{EPOCHS}")
    run_id = first.ends(within=BOUND)
    assert trainer(first.folder, "sync").returncode == 2
    server.start()
    second = trains("epoch-1")
    second.reaches("epoch-1")
    left = first.folder / "mlruns" / "outbox" / f"{run_id}.jsonl"
    until(lambda: not left.exists())
    second.passes("epoch-1")
    assert server.kept(run_id) == server.kept(second.ends()) == undisturbed


def test_a_run_that_is_killed_meanwhile_goes_on_with_nothing_lost(
    server: Server, trains: Callable[..., Training], undisturbed: dict[str, Any]
) -> None:
    training = trains("epoch-2", "epoch-4")
    training.reaches("epoch-2")
    server.kill()
    training.passes("epoch-2")
    training.reaches("epoch-4")
    training.process.kill()
    training.process.wait()
    (left,) = outbox(training.folder)
    with left.open("ab") as file:
        file.write(b'{"id": "torn", "metr')
    server.start()
    resumed = trainer(training.folder, "resume", left.stem)
    assert resumed.returncode == 0, resumed.stderr
    kept = server.kept(left.stem)
    # What the run is made with is noted once more; all else is as if nothing had happened.
    assert kept == undisturbed
    assert not outbox(training.folder)

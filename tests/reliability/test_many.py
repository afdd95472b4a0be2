"""Many processes on one store: each write is kept, each reader reads, one run has one writer."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from sweeps.study import create, load
from tests.dashboard.conftest import open_app  # noqa: F401  (a fixture)
from tests.reliability.conftest import PATIENCE, Shell, times, wait_until
from tests.sweeps.conftest import spec  # noqa: F401  (a fixture)
from trainer.tracking import find_runs
from trainer.tracking.reading import list_runs

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
METRICS = 12
LOGS = f"""
import json, sys, time
from trainer.config import TrainConfig
from trainer.tracking import closing, start_run

run = start_run(TrainConfig(run_name=sys.argv[1]))
until = time.monotonic() + float(sys.argv[2])
epoch = 0
with closing(run):
    while epoch < 20 or time.monotonic() < until:
        epoch += 1
        run.log_epoch(epoch, {{f"m{{i}}": epoch + i / 100 for i in range({METRICS})}})
print(json.dumps([run.id, epoch]))
"""
BEGINS = """
import json, sys, time
from pathlib import Path
from sweeps.spec_reading import from_plain
from sweeps.study import create
from trainer.config import TrainConfig
from trainer.tracking import start_run

spec = from_plain(json.loads(sys.argv[2]))
Path(sys.argv[1]).touch()
while not Path("all").exists():
    time.sleep(0.01)
start_run(TrainConfig(run_name=sys.argv[1])).finish("completed")
for storage in (None, "sqlite:///mlruns/study.db"):
    create(spec, storage)
"""


@pytest.fixture
def python() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Return what starts a script of ours in a process of its own; it is killed at the end."""
    with contextlib.ExitStack() as at_end:

        def start(script: str, *arguments: str, folder: Path) -> "subprocess.Popen[str]":
            process = subprocess.Popen(
                [sys.executable, "-c", script, *arguments],
                cwd=folder,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            at_end.enter_context(process)
            at_end.callback(process.kill)
            return process

        yield start


def ended(process: "subprocess.Popen[str]") -> str:
    """Return what a process printed; fail the test unless it ended well and without a word."""
    out, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (0, "")
    return out


@pytest.mark.timeout(1800)
def test_no_write_of_sixteen_processes_is_lost_and_nobody_waits_in_vain(
    python: Callable[..., "subprocess.Popen[str]"],
    store: Path,
    shell: Shell,
    spec: Callable[..., object],  # noqa: F811
    open_app: Callable[..., AppTest],  # noqa: F811
) -> None:
    create(spec(), None)
    seconds = times(0, 120)
    writers = [python(LOGS, f"run {n}", str(seconds), folder=store.parent) for n in range(16)]
    looked = 0
    while any(writer.poll() is None for writer in writers):
        for page in ("runs", "curves", "sweeps"):
            open_app(page)
        status = shell.run("sweeps", "status")
        assert (status.returncode, status.stderr) == (0, "")
        assert shell.runs() or not looked
        looked += 1
    told = dict(json.loads(ended(writer)) for writer in writers)
    print(f"{sum(told.values()) * METRICS} metrics in {sum(told.values())} batches, {looked} looks")
    with contextlib.closing(sqlite3.connect(store / "mlflow.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        kept = database.execute("SELECT run_uuid, key, step, value FROM metrics").fetchall()
    expected = {
        (run_id, f"m{i}", epoch, epoch + i / 100)
        for run_id, epochs in told.items()
        for epoch in range(1, epochs + 1)
        for i in range(METRICS)
    }
    assert len(kept) == len(expected) and set(kept) == expected
    assert set(list_runs()["state"]) == {"completed"} and len(list_runs()) == 16


def test_eight_processes_that_come_first_make_one_store(
    python: Callable[..., "subprocess.Popen[str]"],
    tmp_path: Path,
    spec: Callable[..., object],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = json.dumps(spec().to_mapping())  # type: ignore[attr-defined]
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    for again in range(times(1, 5)):
        folder = tmp_path / str(again)
        folder.mkdir()
        names = [f"first-{n}" for n in range(8)]
        begun = [python(BEGINS, name, plain, folder=folder) for name in names]
        wait_until(lambda: all((folder / name).exists() for name in names))  # noqa: B023
        (folder / "all").touch()
        for process in begun:
            ended(process)
        monkeypatch.chdir(folder)
        assert sorted(list_runs()["name"]) == names
        assert set(list_runs()["state"]) == {"completed"}
        for storage in (None, "sqlite:///mlruns/study.db"):
            assert load("test", storage).trials() == []
        for name in ("mlflow.db", "study.db"):
            with contextlib.closing(sqlite3.connect(folder / "mlruns" / name)) as database:
                assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_of_two_resumes_one_goes_on_and_one_is_told(
    shell: Shell, long: Path, await_epoch: Callable[..., None]
) -> None:
    killed = shell.start("trainer", "fit", "--config", str(long))
    await_epoch(killed)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    (row,) = shell.runs()
    again = [shell.start("trainer", "resume", row["run_id"], stderr=subprocess.PIPE) for _ in "ab"]
    wait_until(lambda: any(process.poll() is not None for process in again))
    refused, going = sorted(again, key=lambda process: process.poll() is None)
    assert refused.stderr is not None
    said = refused.stderr.read().decode()
    assert said == f"trainer: run: {row['run_id']} is being trained by another process\n"
    assert refused.returncode == 2
    wait_until(lambda: shell.runs()[0]["epoch"] >= row["epoch"] + 2)
    going.send_signal(signal.SIGINT)
    going.communicate(timeout=PATIENCE)
    assert going.returncode == 130
    (after,) = shell.runs()
    assert after["state"] == "interrupted"
    (run,) = find_runs("")
    from trainer.tracking.client import client

    steps = [m.step for m in client().get_metric_history(run.info.run_id, "val/dice")]
    # Killed between an epoch's metrics and its checkpoint, it trains and logs that epoch again.
    assert sorted(set(steps)) == list(range(1, after["epoch"] + 1))
    assert len(steps) <= after["epoch"] + 1

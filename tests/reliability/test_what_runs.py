"""The truth about what runs: who is killed is dead, and who is interrupted has ended."""

import contextlib
import ctypes
import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.reliability.conftest import PATIENCE, Shell
from trainer.config import TrainConfig
from trainer.tracking import find_runs, start_run
from trainer.tracking.reading import list_runs

# Processes are started, killed and waited for.
pytestmark = pytest.mark.slow

Wait = Callable[..., None]


def test_a_killed_run_is_dead_until_it_is_resumed(
    shell: Shell, long: Path, await_epoch: Wait
) -> None:
    process = shell.start("trainer", "fit", "--config", str(long))
    await_epoch(process)
    (alive,) = shell.runs()
    assert (alive["state"], alive["reason"]) == ("running", "")
    assert alive["epoch"] >= 2 and alive["epochs"] == 4000
    assert alive["seconds_left"] > 0 and 0 < alive["best"] <= 1
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    (dead,) = shell.runs()
    run_id, epoch = dead["run_id"], dead["epoch"]
    assert dead["state"] == "dead" and dead["seconds_left"] is None
    assert f"process {process.pid}" in dead["reason"]
    assert dead["reason"].endswith(f"; go on with: trainer resume {run_id}")
    assert dead["seconds"] == shell.runs()[0]["seconds"], "its time goes on"
    assert f"{run_id[:8]} is dead: its process" in shell.run("trainer", "runs").stdout
    again = shell.run("trainer", "resume", run_id, "--epochs", str(epoch + 3))
    assert again.returncode == 0, again.stderr
    (done,) = shell.runs()
    assert (done["state"], done["reason"], done["epoch"]) == ("completed", "", epoch + 3)


def test_who_asks_keeps_no_resume_from_going_on(
    shell: Shell, long: Path, await_epoch: Wait
) -> None:
    process = shell.start("trainer", "fit", "--config", str(long))
    await_epoch(process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    (row,) = shell.runs()
    resumed = shell.start(
        "trainer", "resume", row["run_id"], "--epochs", str(row["epoch"] + 3), stderr=None
    )
    while resumed.poll() is None:
        list_runs()
    assert resumed.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_told_to_end_is_interrupted(
    number: signal.Signals, shell: Shell, long: Path, await_epoch: Wait
) -> None:
    process = shell.start("trainer", "fit", "--config", str(long))
    await_epoch(process)
    process.send_signal(number)
    assert process.wait(PATIENCE) == 130
    (row,) = shell.runs()
    by = "" if number == signal.SIGINT else f" by {number.name}"
    assert row["state"] == "interrupted"
    assert row["reason"] == f"interrupted{by}; go on with: trainer resume {row['run_id']}"
    assert find_runs("")[0].info.status == "KILLED"


def test_a_closed_terminal_interrupts_the_run(shell: Shell, long: Path, await_epoch: Wait) -> None:
    terminal, end = pty.openpty()

    def control() -> None:
        # The terminal becomes the new session's own: who closes it hangs up.
        os.setsid()
        os.close(os.open(os.ttyname(end), os.O_RDWR))

    process = shell.start(
        *("trainer", "fit", "--config", str(long)),
        stdin=end,
        stdout=end,
        stderr=end,
        preexec_fn=control,
    )
    os.close(end)
    os.set_blocking(terminal, False)
    await_epoch(process)
    os.close(terminal)
    assert process.wait(PATIENCE) == 130
    (row,) = shell.runs()
    assert row["state"] == "interrupted"
    assert row["reason"].startswith("interrupted by SIGHUP; go on with: trainer resume ")


def test_nohup_is_left_alone(shell: Shell, tiny: TrainConfig, await_epoch: Wait) -> None:
    config = shell.folder / "short.yaml"
    config.write_text(tiny.replace(epochs=20).to_yaml())
    process = shell.start(
        *("trainer", "fit", "--config", str(config)),
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    await_epoch(process)
    process.send_signal(signal.SIGHUP)
    assert process.wait(PATIENCE) == 0
    assert shell.runs()[0]["state"] == "completed"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_sweep_that_is_hung_up_is_interrupted_with_its_trials(
    workers: int, shell: Shell, long: Path, await_epoch: Wait
) -> None:
    fixed = yaml.safe_load(long.read_text())
    del fixed["format"], fixed["lr"]
    spec = {"space": {"lr": [0.01, 0.02, 0.03]}, "fixed": fixed}
    (shell.folder / "hung.yaml").write_text(yaml.safe_dump(spec))
    process = shell.start(
        *("sweeps", "run", "hung.yaml", "--workers", str(workers)), start_new_session=True
    )
    await_epoch(process, runs=workers)
    os.killpg(process.pid, signal.SIGHUP)
    assert process.wait(PATIENCE) == 130
    rows = shell.runs()
    assert len(rows) >= 2
    assert {row["state"] for row in rows} == {"interrupted"}
    assert not find_runs("attributes.status = 'RUNNING'")


def test_a_store_that_is_not_there_is_not_made(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    mistyped = shell.folder / "mlrnus" / "mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{mistyped}")
    done = shell.run("trainer", "runs")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"trainer: store: there is no {mistyped}; ")
    assert not mistyped.parent.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="who is root elsewhere may write everywhere")
def test_a_read_only_store_is_read(shell: Shell, store: Path) -> None:
    run = start_run(TrainConfig())
    run.log_epoch(1, {"val/dice": 0.5})
    with contextlib.closing(sqlite3.connect(store / "mlflow.db")) as last_writer:
        last_writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for left in store.glob("mlflow.db-*"):
        left.unlink()  # as the last one to close a store does
    places = [path for path in (store, *store.rglob("*")) if path.is_dir()]
    try:
        for folder in places:
            folder.chmod(0o555)
        probe = [sys.executable, "-c", "open('mlruns/new', 'w')"]
        assert subprocess.run(probe, cwd=shell.folder, preexec_fn=obey_modes).returncode == 1
        done = shell.run("trainer", "runs", "--json", preexec_fn=obey_modes)
    finally:
        for folder in places:
            folder.chmod(0o755)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["run_id"], row["state"], row["best"]) == (run.id, "running", 0.5)
    assert not list(store.glob("mlflow.db-*"))


def obey_modes() -> None:
    """Be bound by the modes of files, in a process about to start, also as root."""
    if os.geteuid() == 0:
        drop_from_bounding_set, override, search = 24, 1, 2
        for right in (override, search):
            assert ctypes.CDLL(None).prctl(drop_from_bounding_set, right, 0, 0, 0) == 0

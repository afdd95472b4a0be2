"""Whoever kills a run loses an epoch at most, and nothing that readers see is half."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.reliability.conftest import PATIENCE, Shell
from tests.reliability.seen import curves, files, repeated
from trainer.config import TrainConfig
from trainer.tracking import find_runs
from trainer.tracking.reading import list_runs

# Processes are started, killed and waited for.
pytestmark = pytest.mark.slow

KILLS = os.environ.get("SEGSCOPE_KILLS", "8")


def test_a_run_that_is_killed_again_and_again_ends_as_if_it_had_not_been(
    tiny: TrainConfig, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, died = tmp_path / "config.yaml", tmp_path / "died"
    config.write_text(tiny.replace(cache="disk", boundary_iou=True, augment="flips").to_yaml())
    program = [sys.executable, "-m", "tests.reliability.kill_campaign"]
    done = subprocess.run(
        [*program, str(config), str(store), str(died), KILLS],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    seen = {}
    most = 0
    for folder in died.iterdir():
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlruns/mlflow.db")
        assert not find_runs("attributes.status = 'RUNNING'"), folder
        (run,) = find_runs("tags.`segscope.outcome` = 'completed'")
        again = repeated(run.info.run_id)
        assert again <= told["of_run"].get(folder.name, 0), folder
        most = max(most, again)
        seen[folder.name] = curves(run.info.run_id), files(run.info.run_id)
    print(f"{told['killed']} in {len(seen) - 1} runs; epochs repeated in one run: {most} at most")
    whole = seen.pop("0")
    assert len(seen) > 1
    for number, found in seen.items():
        assert found == whole, number


def test_of_two_that_resume_a_run_one_goes_on_and_one_is_told(
    shell: Shell, long: Path, await_epoch: Callable[..., None]
) -> None:
    first = shell.start("trainer", "fit", "--config", str(long))
    await_epoch(first)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    dead = list_runs().reset_index().iloc[0]
    pipes = {"stderr": subprocess.PIPE, "text": True}
    both = [shell.start("trainer", "resume", dead["run_id"], **pipes) for _ in range(2)]
    deadline = time.monotonic() + PATIENCE
    while all(process.poll() is None for process in both) and time.monotonic() < deadline:
        time.sleep(0.05)
    told, goes_on = sorted(both, key=lambda process: process.poll() is None)
    assert told.returncode == 2
    assert told.stderr is not None
    assert told.stderr.read().splitlines()[-1] == (
        f"trainer: run: {dead['run_id']} is being trained by another process"
    )
    while list_runs()["last_step"].iloc[0] <= dead["last_step"]:
        time.sleep(0.1)
        assert goes_on.poll() is None
        assert time.monotonic() < deadline
    goes_on.send_signal(signal.SIGTERM)
    goes_on.communicate(timeout=PATIENCE)
    assert list_runs()["state"].tolist() == ["interrupted"]

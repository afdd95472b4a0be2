"""Trainings that are processes of their own, so that harm can be done to them."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from trainer.config import TrainConfig

PATIENCE = 120.0
# Set to anything, it makes the tests that count do their harm as often as docs/reliability.md says.
CAMPAIGN = "SEGSCOPE_CAMPAIGN"


def times(usual: int, campaign: int) -> int:
    """Return how often a harm is done: as many times as usual, or those of a campaign."""
    return campaign if os.environ.get(CAMPAIGN) else usual


class Shell:
    """Runs our commands on the store of a test, each in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str, **how: Any) -> "subprocess.Popen[bytes]":
        """Start a command that goes on beside the test."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(_python(command), cwd=self.folder, **(quiet | how))
        self.started.append(process)
        return process

    def run(self, *command: str, **how: Any) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        pipes = {"cwd": self.folder, "capture_output": True, "text": True}
        done: subprocess.CompletedProcess[str] = subprocess.run(_python(command), **(pipes | how))
        return done

    def session(self, process: "subprocess.Popen[bytes]") -> list[int]:
        """Return the living processes of the session that a process began."""
        return [pid for pid, session in _processes() if session == process.pid]

    def runs(self, *flags: str) -> list[dict[str, Any]]:
        """Return what ``trainer runs`` says of the store."""
        done = self.run("trainer", "runs", "--json", *flags)
        assert done.returncode == 0, done.stderr
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows


def _processes() -> Iterator[tuple[int, int]]:
    """Yield each process that is no zombie, with its session."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, session = path.read_text().rpartition(")")[2].split()[:4]
            if state != "Z":
                yield int(path.parent.name), int(session)


def wait_until(condition: Callable[[], bool]) -> None:
    """Return as soon as ``condition`` holds; fail the test when it does not for too long."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


def _python(command: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", *command]


@pytest.fixture
def shell(store: Path) -> Iterator[Shell]:
    """Return what runs commands on an empty store; what is still running at the end is killed."""
    shell = Shell(store.parent)
    yield shell
    for process in shell.started:
        if process.poll() is None:
            os.kill(process.pid, 9)
        process.wait()


@pytest.fixture
def long(tiny: TrainConfig, store: Path) -> Path:
    """Return the file of a tiny configuration that goes on until something ends it."""
    path = store.parent / "long.yaml"
    path.write_text(tiny.replace(epochs=4000).to_yaml())
    return path


@pytest.fixture
def await_epoch(store: Path) -> Callable[..., None]:
    """Return what waits until a process has kept two epochs of a run, or of several."""

    def wait(process: "subprocess.Popen[bytes]", runs: int = 1) -> None:
        deadline = time.monotonic() + PATIENCE
        # Down one path: a search through all folders would meet those that come and go.
        second = "artifacts/*/*/artifacts/evaluation/per_image/epoch-0002.parquet"
        while len(list(store.glob(second))) < runs:
            assert process.poll() is None, "it ended before any harm was done to it"
            assert time.monotonic() < deadline
            time.sleep(0.05)

    return wait

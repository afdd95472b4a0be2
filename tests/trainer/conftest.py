"""A real tracking server, for what only shows through one."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def server_uri(tmp_path_factory: pytest.TempPathFactory, new_database: Path) -> Iterator[str]:
    """The address of an MLflow server of these tests' own; it takes half a minute to start."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copyfile(new_database, folder / "mlflow.db")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db"),
        *("--artifacts-destination", str(folder / "artifacts")),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
    ]
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=folder,
    )
    uri = f"http://127.0.0.1:{port}"
    try:
        _wait_for(process, f"{uri}/health")
        yield uri
    finally:
        # It has children of its own, and they are all in its session.
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


@pytest.fixture
def remote(server_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point everything at the server and return the folder where this machine keeps its own."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server_uri)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "mlruns"


def _wait_for(process: "subprocess.Popen[bytes]", address: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended before it answered"
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise AssertionError(f"{address} did not answer within two minutes")

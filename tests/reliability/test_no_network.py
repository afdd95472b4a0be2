"""Nothing calls out: no telemetry, no look for a later version, no address asked for."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from trainer.config import TrainConfig

# Read by Python at its start, in every process that a command starts. A name that is looked up
# goes out as well, so it counts.
FORBIDDING = """
import os, socket

LOCAL = ("127.", "::1", "localhost", "0.0.0.0")
HOSTNAME = socket.gethostname()

def checked(kind, address):
    host = address[0] if isinstance(address, tuple) else ""
    host = host.decode() if isinstance(host, bytes) else str(host or "")
    if host and not host.startswith(LOCAL) and host != HOSTNAME:
        with open(os.environ["CALLS"], "a") as calls:
            calls.write(f"{kind} {address}\\n")
        raise OSError(f"no network here: {address}")

class Local(socket.socket):
    def connect(self, address):
        checked("connect", address)
        return super().connect(address)

    def connect_ex(self, address):
        checked("connect", address)
        return super().connect_ex(address)

    def sendto(self, data, *rest):
        checked("sendto", rest[-1])
        return super().sendto(data, *rest)

def looked_up(host, *rest, original=socket.getaddrinfo, **more):
    checked("look up", (host,))
    return original(host, *rest, **more)

socket.socket, socket.getaddrinfo = Local, looked_up
"""
APP = """
import sys
from streamlit.testing.v1 import AppTest
from dashboard.server import own_folder_off_the_path
own_folder_off_the_path()
app = AppTest.from_file(sys.argv[1], default_timeout=120)
for page in sys.argv[2:]:
    app.run()
    app.switch_page(f"{page}/page.py").run()
    assert not app.exception, app.exception
print("opened")
"""
ROOT = Path(__file__).parents[2]
PAGES = [path.parent.name for path in sorted((ROOT / "dashboard").glob("*/page.py"))]


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Forbid all sockets but this machine's own to what is started; return the file of calls."""
    (tmp_path / "forbidding").mkdir()
    (tmp_path / "forbidding" / "sitecustomize.py").write_text(FORBIDDING)
    places = [str(tmp_path / "forbidding"), str(ROOT), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, places)))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    for name in ("MLFLOW_DISABLE_TELEMETRY", "NO_ALBUMENTATIONS_UPDATE", "DO_NOT_TRACK", "CI"):
        monkeypatch.delenv(name, raising=False)  # We ask for silence, not the user.
    return tmp_path / "calls"


def run(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_calls_out_is_seen(offline: Path, tmp_path: Path) -> None:
    for call in (
        "socket.create_connection(('203.0.113.1', 80), timeout=1)",
        "socket.getaddrinfo('somewhere.example', 80)",
        "__import__('urllib.request').request.urlopen('http://203.0.113.1/', timeout=1)",
    ):
        with pytest.raises(AssertionError, match="no network here"):
            run(tmp_path, "-c", f"import socket; {call}")
    assert len(offline.read_text().splitlines()) == 3


@pytest.mark.slow  # Each command is a process of its own.
@pytest.mark.timeout(900)
def test_no_command_and_no_page_calls_out(
    offline: Path, store: Path, tiny: TrainConfig, tmp_path: Path
) -> None:
    config = tmp_path / "tiny.yaml"
    config.write_text(tiny.replace(augment="light", epochs=2).to_yaml())
    spec = f"name: lrs\nspace: {{lr: [0.01, 0.02]}}\nfixed: {{data: {tiny.data}, epochs: 1}}\n"
    (tmp_path / "spec.yaml").write_text(spec)
    told = run(tmp_path, "-m", "trainer", "fit", "--config", str(config), "--json")
    run_id = json.loads(told)["run_id"]
    image = next(Path(str(tiny.data)).rglob("*.jpg"))
    for words in (
        ("trainer", "evaluate", run_id),
        ("trainer", "predict", run_id, str(image), "--out", "out"),
        ("trainer", "register", run_id, "--name", "cars", "--alias", "champion"),
        ("trainer", "pull", "models:/cars@champion", "--out", "pulled"),
        ("sweeps", "run", "spec.yaml", "--workers", "2"),
    ):
        run(tmp_path, "-m", *words)
    assert "opened" in run(tmp_path, "-c", APP, str(ROOT / "dashboard" / "app.py"), *PAGES)
    assert not offline.exists(), offline.read_text()

"""A password in an address is nowhere in what is said or written."""

import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sweeps.cli import COMMANDS as SWEEPS
from sweeps.cli import main as sweeps
from tests.reliability.conftest import Shell
from tests.trainer.conftest import server_uri  # noqa: F401  a fixture
from trainer.cli import COMMANDS as TRAINER
from trainer.cli import main as trainer
from trainer.config import TrainConfig
from trainer.store import without_passwords

SECRET = "s3cretw0rd"
RUN = "0123456789abcdef0123456789abcdef"
WORDS = {
    "trainer evaluate": RUN,
    "trainer compare": f"{RUN} models:/cars/1",
    "trainer stability": RUN,
    "trainer predict": f"{RUN} image.png --out out",
    "trainer pull": "models:/cars/1 --out out",
    "trainer register": f"{RUN} --name cars",
    "trainer promote": "cars 1",
    "trainer resume": RUN,
    "trainer runs": "",
    "trainer models": "--registered",
    "trainer fit": "--config tiny.yaml",
    "trainer classify": f"--data . --init-from {RUN}",
    "trainer lr-find": "--config tiny.yaml",
    "sweeps run": "spec.yaml",
    "sweeps resume": "lrs",
    "sweeps status": "",
    "sweeps best": "lrs",
    "sweeps report": "lrs",
}
STORELESS = {
    *("trainer data", "trainer list", "trainer recipes", "sweeps presets", "sweeps repair"),
    "trainer sync",  # Which asks no store where nothing waits.
}


@pytest.fixture
def said(
    tmp_path: Path,
    tiny: TrainConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., str]:
    """Return what calls a command that fails, and returns all it says and leaves behind."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(tiny.to_yaml())
    spec = f"name: lrs\nspace: {{lr: [0.01, 0.02]}}\nfixed: {{data: {tiny.data}, epochs: 1}}\n"
    (tmp_path / "spec.yaml").write_text(spec)

    def call(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", list(words))
        assert {"trainer": trainer, "sweeps": sweeps}[words[0]]() == 2
        captured = capsys.readouterr()
        return captured.out + captured.err + written(tmp_path)

    return call


def written(folder: Path) -> str:
    """Return all names and contents below a folder."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return "\n".join(f"{path}\n{path.read_bytes().decode('latin-1')}" for path in paths)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_every_command_is_tried() -> None:
    known = {f"trainer {name}" for name in TRAINER} | {f"sweeps {name}" for name in SWEEPS}
    assert set(WORDS) | STORELESS == known


@pytest.mark.parametrize("command", [name for name in WORDS if name != "sweeps status"])
def test_a_server_that_is_away_is_named_without_its_password(
    command: str, said: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"http://me:{SECRET}@127.0.0.1:{closed_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert SECRET not in said(*command.split(), *WORDS[command].split())


@pytest.mark.parametrize("command", [name for name in WORDS if name.startswith("sweeps")])
@pytest.mark.parametrize(
    "storage",
    [
        "postgresql+psycopg://me:{}@127.0.0.1:1/sweeps",
        "mysql+pymysql://me:{}@127.0.0.1:1/sweeps",
        "nonsense://me:{}@host/x",
        "postgresql://me:{}@host/x",
        "postgresql+psycopg://host/x?user=me&password={}",
    ],
)
def test_a_storage_that_cannot_be_opened_is_named_without_its_password(
    command: str, storage: str, store: Path, said: Callable[..., str]
) -> None:
    words = [*command.split(), *WORDS[command].split(), "--storage", storage.format(SECRET)]
    assert SECRET not in said(*words)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://me:secret@host:1/a and x", "http://me:***@host:1/a and x"),
        ("'https://me:se@cr/et@host/a?b'", "'https://me:***@host/a?b'"),
        ("postgresql://host/x?user=me&password=secret&a=1", None),
        ("to https://host:80/a stays", "to https://host:80/a stays"),
        ("me@host, 10:30, a://b", "me@host, 10:30, a://b"),
    ],
)
def test_passwords_in_a_text_are_masked(text: str, shown: str | None) -> None:
    shown = shown or text.replace("secret", "***")
    assert without_passwords(text) == shown


@pytest.mark.slow  # A server is started, and processes.
@pytest.mark.timeout(900)
def test_a_run_and_a_sweep_through_a_server_leave_no_password(
    server_uri: str,  # noqa: F811
    tiny: TrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uri = server_uri.replace("://", f"://me:{SECRET}@")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    shell = Shell(tmp_path)
    (tmp_path / "tiny.yaml").write_text(tiny.replace(epochs=2).to_yaml())
    spec = f"name: lrs\nspace: {{lr: [0.01, 0.02]}}\nfixed: {{data: {tiny.data}, epochs: 1}}\n"
    (tmp_path / "spec.yaml").write_text(spec)
    everything = ""
    for words in (
        ("trainer", "fit", "--config", "tiny.yaml"),
        ("trainer", "runs"),
        ("sweeps", "run", "spec.yaml"),
        ("sweeps", "report", "lrs"),
    ):
        done = shell.run(*words)
        assert done.returncode == 0, done.stderr
        everything += done.stdout + done.stderr
    assert "segscope" in everything
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server_uri)
    from trainer.tracking import find_runs

    records = find_runs("")
    assert len(records) >= 4
    everything += repr([(run.info, run.data.tags, run.data.params) for run in records])
    everything += written(tmp_path)
    assert SECRET not in everything

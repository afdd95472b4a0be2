"""The command: what it says, what it refuses, how it starts Streamlit."""

import socket
import subprocess
import sys

import pytest

from dashboard import cli
from dashboard.cli import Serve, streamlit_flags
from dashboard.settings import Settings, from_environment


def dashboard(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dashboard", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_help_names_every_flag() -> None:
    done = dashboard("--help")
    assert done.returncode == 0
    for flag in ("--port", "--address", "--read-only", "--login"):
        assert flag in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "99999"], "must lie in 1 to 65535"),
        (["--prot", "1"], "--port"),
        (["--address", "203.0.113.1"], "cannot be served"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments: list[str], words: str) -> None:
    done = dashboard(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_port_in_use_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match="cannot be served"):
            cli.serve(Serve(port=port))


def test_a_store_that_lies_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////a?b/mlflow.db")
    with pytest.raises(ValueError, match="write %3F"):
        cli.serve(Serve())


def test_login_without_secrets_is_refused(
    tmp_path: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ValueError, match=r"secrets\.toml"):
        cli._check(Serve(port=0 + 18_765, login=True))


def test_streamlit_is_local_silent_and_headless() -> None:
    flags = streamlit_flags(Serve())
    assert "--server.address=127.0.0.1" in flags
    assert "--browser.gatherUsageStats=false" in flags
    assert "--server.headless=true" in flags


def test_only_this_machines_names_are_answered_unless_others_are_given() -> None:
    def hosts(command: Serve) -> list[str]:
        prefix = "--server.allowedHosts="
        flags = streamlit_flags(command)
        return [flag.removeprefix(prefix) for flag in flags if flag.startswith(prefix)]

    assert hosts(Serve()) == ["127.0.0.1", "localhost", "::1"]
    assert hosts(Serve(hosts=("a.example",)))[-1] == "a.example"
    assert hosts(Serve(address="0.0.0.0")) == []
    assert "--server.enableAgentApi=false" in streamlit_flags(Serve())


def test_settings_travel_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in Settings(read_only=True).to_environment().items():
        monkeypatch.setenv(name, value)
    assert from_environment() == Settings(read_only=True, login=False)

"""Who may frame the dashboard, ask it and talk with it: asked of a real server."""

import base64
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from dashboard.gate import HEADERS, admitted

HOSTS = ["127.0.0.1", "localhost", "::1"]


def scope(kind: str, **headers: str) -> dict[str, object]:
    return {"type": kind, "headers": [(n.encode(), v.encode()) for n, v in headers.items()]}


@pytest.mark.parametrize(
    ("hosts", "host", "origin", "let_in"),
    [
        (HOSTS, "127.0.0.1:8501", "http://127.0.0.1:8501", True),
        (HOSTS, "[::1]:8501", "http://[::1]:8501", True),
        (HOSTS, "127.0.0.1:8501", None, True),
        (HOSTS, "127.0.0.1:8501", "http://127.0.0.1:9999", False),
        (HOSTS, "127.0.0.1:8501", "http://localhost:8501", False),
        (HOSTS, "127.0.0.1:8501", "null", False),
        (HOSTS, "127.0.0.1:8501", "http://evil.example", False),
        (HOSTS, "evil.example:8501", "http://evil.example:8501", False),
        (HOSTS, "", None, False),
        (HOSTS, "[127.0.0.1", None, False),
        # Behind a proxy that leaves out its port, and one that asks by 127.0.0.1.
        ([*HOSTS, "a.example"], "a.example", "https://a.example:8443", True),
        ([*HOSTS, "a.example"], "127.0.0.1:8501", "https://a.example", True),
        ([*HOSTS, "a.example"], "a.example", "https://b.example", False),
        # Served to everybody by whatever name: its own pages alone all the same.
        ([], "10.0.0.5:8501", "http://10.0.0.5:8501", True),
        ([], "10.0.0.5:8501", "http://evil.example", False),
    ],
)
def test_who_is_let_in(hosts: list[str], host: str, origin: str | None, let_in: bool) -> None:
    headers = {"host": host} | ({} if origin is None else {"origin": origin})
    assert admitted(scope("websocket", **headers), hosts) == let_in


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Return the port of a dashboard that is served as the command serves it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "dashboard", "--port", str(number)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, **quiet)  # type: ignore[call-overload]
    try:
        deadline = time.monotonic() + 120
        while True:
            assert process.poll() is None and time.monotonic() < deadline
            try:
                assert asked(number, "/_stcore/health")[0] == 200
                break
            except OSError:
                time.sleep(0.2)
        yield number
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


def asked(port: int, path: str, **headers: str) -> tuple[int, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


def upgraded(port: int, origin: str) -> int:
    """Return the status with which a WebSocket of a page is answered."""
    return asked(
        port,
        "/_stcore/stream",
        Origin=origin,
        Connection="Upgrade",
        Upgrade="websocket",
        **{
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(b"0123456789abcdef").decode(),
        },
    )[0]


@pytest.mark.slow  # A server is started.
def test_a_server_keeps_strangers_out(port: int) -> None:
    for path in ("/", "/_stcore/health", "/nowhere"):
        status, headers = asked(port, path)
        assert status == 200
        assert {name.decode(): value.decode() for name, value in HEADERS}.items() <= headers.items()
        assert asked(port, path, Host=f"evil.example:{port}")[0] == 403
        assert asked(port, path, Host=f"localhost:{port}")[0] == 200
    assert upgraded(port, f"http://127.0.0.1:{port}") == 101
    for origin in (f"http://127.0.0.1:{port + 1}", "http://evil.example", "null", "file://"):
        assert upgraded(port, origin) == 403, origin
    with pytest.raises(ConnectionRefusedError), socket.socket() as elsewhere:
        elsewhere.connect(("127.0.0.2", port))

"""The ``dashboard`` command: serve the pages of the current store."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from dashboard.settings import UPLOAD_MIB, Settings
from dashboard.theme import streamlit_options
from trainer.command_line import complete, guarded, parse, show_versions
from trainer.store import sqlite_path, tracking_uri, without_password

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, kw_only=True)
class Serve:
    """Serve the dashboard of the current store until interrupted."""

    port: int = 8501
    """Port to listen on."""
    address: Annotated[str, "ADDRESS"] = "127.0.0.1"
    """Address to listen on; 0.0.0.0 is every interface of this machine, see docs/serving.md."""
    hosts: Annotated[tuple[str, ...], "NAME …"] = ()
    """Names by which a reverse proxy asks for this server, besides 127.0.0.1 and localhost."""
    read_only: bool = False
    """Show everything, change nothing: no tags, notes, archive or aliases."""
    login: bool = False
    """Ask for a login by OpenID Connect; needs secrets.toml, see docs/serving.md."""
    version: bool = False
    """Say what runs here, on what and with which store, and serve nothing."""


def main() -> int:
    """Run the command line and return the exit code."""
    if sys.argv[1:2] == ["completion"]:
        return complete("dashboard", _serve, sys.argv[2:])
    return guarded("dashboard", lambda: _serve(sys.argv[1:]))


def _serve(args: list[str]) -> int:
    return serve(parse(Serve, prog="dashboard", args=args))


def serve(command: Serve) -> int:
    """Print the address and serve until interrupted, or print the versions alone.

    Raises ``ValueError`` when the store's address names no file that can be meant, when the port
    is taken or out of range, or when ``--login`` lacks its secrets.
    """
    if command.version:
        return show_versions()
    _check(command)
    arguments = streamlit_flags(command)
    settings = Settings(read_only=command.read_only, login=command.login)
    os.environ.update(settings.to_environment())
    print(f"Segscope dashboard: http://{_shown(command.address)}:{command.port}", flush=True)
    print(f"store: {without_password(tracking_uri())}  (Ctrl-C stops)", file=sys.stderr, flush=True)
    from dashboard.server import run_server

    run_server(arguments)
    return 0


def streamlit_flags(command: Serve) -> list[str]:
    """Return Streamlit's flags: headless, silent, bound to one address, in our theme."""
    options: dict[str, object] = {
        "server.port": command.port,
        "server.address": command.address,
        "server.headless": True,
        "server.enableCORS": True,
        "server.enableXsrfProtection": True,
        "server.enableAgentApi": False,
        "server.fileWatcherType": "none",
        "server.runOnSave": False,
        "runner.magicEnabled": False,
        "server.maxUploadSize": UPLOAD_MIB,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "logger.level": "warning",
    } | streamlit_options()
    hosts: list[str] = []
    if command.hosts or command.address in LOOPBACK:
        # A page elsewhere whose name was pointed at this machine is turned away.
        hosts = [*LOOPBACK, *command.hosts]
    if command.hosts:
        options["browser.serverAddress"] = command.hosts[0]
    flags = [f"--{name}={_value(value)}" for name, value in options.items()]
    return flags + [f"--server.allowedHosts={host}" for host in hosts]


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, list) else str(value)


def _shown(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _check(command: Serve) -> None:
    import socket

    sqlite_path(tracking_uri())  # It refuses an address that would name another file.
    if not 1 <= command.port <= 65535:
        raise ValueError(f"port: {command.port} must lie in 1 to 65535")
    family = socket.AF_INET6 if ":" in command.address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((command.address, command.port))
        except OSError as error:
            where = f"{_shown(command.address)}:{command.port}"
            raise ValueError(f"port: {where} cannot be served ({error.strerror})") from error
    if command.login and not _secrets():
        raise ValueError("login: no .streamlit/secrets.toml with [auth] here; see docs/serving.md")


def _secrets() -> bool:
    places = (Path.cwd() / ".streamlit/secrets.toml", Path.home() / ".streamlit/secrets.toml")
    return any(p.is_file() and "[auth" in p.read_text(encoding="utf-8") for p in places)

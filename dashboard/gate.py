"""What stands before Streamlit's server: who may frame its pages, ask it, or talk with it.

Streamlit itself sends no header against framing, checks the name it is asked by on WebSockets
alone, and takes WebSockets from the page of any program on this machine.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

import streamlit as st

from dashboard.cli import LOOPBACK

# Components are frames of our own pages; nobody else's page may hold ours.
HEADERS = [
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"content-security-policy", b"frame-ancestors 'self'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Gate:
    """ASGI middleware that turns strangers away and adds `HEADERS` to every answer."""

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 403."""
        hosts = st.get_option("server.allowedHosts")
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif not admitted(scope, hosts):
            await _refuse(scope["type"], send)
        else:
            await self._app(scope, receive, _with_headers(send))


def admitted(scope: Message, hosts: list[str]) -> bool:
    """Whether a request asks for a name of ours, all if there are none, and is of our own page.

    A page of a WebSocket is ours when it has the address that it asks; behind a proxy, which may
    tell its port or not, when it has one of the names that the user gave.
    """
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    host, origin = headers.get(b"host", ""), headers.get(b"origin")
    if hosts and _name(host) not in hosts:
        return False
    if scope["type"] == "http" or origin is None:  # Browsers tell it of every WebSocket.
        return True
    page = origin.partition("://")[2]
    return page == host or _name(page) in set(hosts) - set(LOOPBACK)


def _name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


async def _refuse(kind: str, send: Send) -> None:
    if kind == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    await send({"type": "http.response.start", "status": 403, "headers": []})
    await send({"type": "http.response.body", "body": b"not a name of this server; see --hosts\n"})


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *HEADERS]
        await send(message)

    return sending

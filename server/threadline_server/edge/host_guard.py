"""Under which names this server may be reached, and from which web pages it may be changed.

A page of any site can make its own name resolve to 127.0.0.1 (DNS rebinding) and is its own origin then. So
the `Host` must be one of ours. The WebSocket routes look at the origin themselves.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from threadline_server.edge.origins import Origins

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_READING = frozenset({"GET", "HEAD"})


class HostGuard:
    """ASGI middleware. `hosts` are names without port, None for any."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str] | None, origins: Origins) -> None:
        self._app = app
        self._hosts = None if hosts is None else frozenset(hosts)
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            refusal = self._refusal(scope)
            if refusal is not None:
                await _refuse(scope, send, *refusal)
                return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[HTTPStatus, str, str] | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._hosts is not None and host_name(host) not in self._hosts:
            return (
                HTTPStatus.MISDIRECTED_REQUEST,
                "unknown_host",
                "This server is not known under that name; the operator can set --public-url.",
            )
        if scope["type"] == "websocket" or scope["method"] in _READING:
            return None
        if self._origins.allows(headers.get("origin"), host):
            return None
        return (
            HTTPStatus.FORBIDDEN,
            "unknown_origin",
            "Pages of that origin may not use this server; the operator can allow it with --allowed-origins.",
        )


def host_name(host: str) -> str:
    """The name in a `Host` header, lower case, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


async def _refuse(scope: Scope, send: Send, status: HTTPStatus, code: str, message: str) -> None:
    body = json.dumps(
        {"error": {"code": code, "message": message, "details": None, "request_id": ""}}
    ).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    await send({"type": f"{kind}.start", "status": int(status), "headers": headers})
    await send({"type": f"{kind}.body", "body": body})

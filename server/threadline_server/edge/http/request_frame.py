"""What surrounds every HTTP request: an id, a bound on its body, and headers that every answer carries."""

from __future__ import annotations

import json
import secrets
from http import HTTPStatus

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from threadline_server.edge.http.rate_limit import TurnedAway

_MAX_REQUEST_ID_CHARS = 64
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


_log = structlog.get_logger()


class BodyTooLarge(Exception):
    """More bytes came than the bound allows; the request is answered with 413."""


class RequestFrame:
    """ASGI middleware; WebSocket handshakes pass through untouched.

    What is logged on the way carries the id. A caller's own `X-Request-Id` is kept when it is short and
    printable, so that logs can be joined.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_body_bytes: int,
        max_attachment_bytes: int | None = None,
        turned_away: TurnedAway | None = None,
    ) -> None:
        """`max_attachment_bytes` is the bound for attached files, where it is another."""
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._turned_away = turned_away or TurnedAway()
        self._max_attachment_bytes = max_attachment_bytes or max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _request_id(headers.get("x-request-id"))
        scope["threadline.request_id"] = request_id
        started = False

        async def framed_send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _add_headers(message, request_id)
            await send(message)

        limit = self._limit_of(scope)
        if _announces_more(headers, limit):
            self._turned_away.bodies += 1
            await _too_large(framed_send, request_id, limit)
            return
        try:
            with structlog.contextvars.bound_contextvars(request_id=request_id):
                await self._app(scope, _bounded(receive, limit), framed_send)
        except BodyTooLarge:
            self._turned_away.bodies += 1
            if started:
                raise
            await _too_large(framed_send, request_id, limit)
        except Exception:
            _log.exception("request crashed", request_id=request_id, path=scope["path"])
            if started:
                raise
            await _crashed(framed_send, request_id)

    def _limit_of(self, scope: Scope) -> int:
        is_file = scope["method"] == "POST" and scope["path"].endswith("/attachments")
        return self._max_attachment_bytes if is_file else self._max_body_bytes


def _announces_more(headers: Headers, limit: int) -> bool:
    length = headers.get("content-length", "0")
    return length.isdigit() and int(length) > limit


def _request_id(offered: str | None) -> str:
    if offered and len(offered) <= _MAX_REQUEST_ID_CHARS and offered.isascii() and offered.isprintable():
        return offered
    return secrets.token_hex(8)


def _add_headers(message: Message, request_id: str) -> None:
    headers = MutableHeaders(scope=message)
    headers["X-Request-Id"] = request_id
    for name, value in _ALWAYS.items():
        headers.setdefault(name, value)


def _bounded(receive: Receive, limit: int) -> Receive:
    seen = 0

    async def bounded_receive() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise BodyTooLarge
        return message

    return bounded_receive


async def _too_large(send: Send, request_id: str, limit: int) -> None:
    message = f"The request body is larger than the {limit} bytes taken here; send less at a time."
    await _fail(send, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "content_too_large", message, request_id)


async def _crashed(send: Send, request_id: str) -> None:
    message = "The server failed to handle this request; its log has more under this request id."
    await _fail(send, HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", message, request_id)


async def _fail(send: Send, status: HTTPStatus, code: str, message: str, request_id: str) -> None:
    error = {"code": code, "message": message, "details": None, "request_id": request_id}
    body = json.dumps({"error": error}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})

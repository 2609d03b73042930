"""uvicorn's WebSocket protocol class: the handshake goes through ASGI, then the transport is handed over.

The application accepts as with any ASGI server, then calls `scope["extensions"][HANDOVER]["take"]` with a
function that builds the connection on the transport. Nothing of the handshake is kept after that. Messages
over ASGI itself are not offered: a route that accepts must take.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, TypeVar, cast
from weakref import WeakKeyDictionary

import structlog
from starlette.types import Message, Scope
from uvicorn.config import Config
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from threadline_server.edge.handshake import (
    BadHandshake,
    Handshake,
    accept_response,
    parse_handshake,
    plain_response,
)
from threadline_server.edge.handshakes import Handshakes, Place

HANDOVER = "threadline.handover"

MAX_EARLY_BYTES = 64 * 1024
"""Bytes a client may send before the connection is taken over."""


class Taker(Protocol):
    """What is built on the transport: an `asyncio.Protocol`, in shape if not by birth."""

    def data_received(self, data: bytes, /) -> None: ...


Built = TypeVar("Built", bound=Taker)
Builder: TypeAlias = Callable[[asyncio.Transport, set[object]], Built]

_log = structlog.get_logger()

_handshakes: WeakKeyDictionary[Config, Handshakes] = WeakKeyDictionary()


def _handshakes_of(config: Config) -> Handshakes:
    """Those of one server, whose sockets all have the same configuration."""
    known = _handshakes.get(config)
    if known is None:
        known = _handshakes[config] = Handshakes()
    return known


class WebSocketProtocol(asyncio.Protocol):
    """Lives from the upgrade request to the handover."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._config = config
        self._server_state = server_state
        self._app_state = app_state
        self._loop = _loop or asyncio.get_running_loop()
        self._peers = cast(set[object], server_state.connections)
        self._handshake: Handshake | None = None
        self._early = b""
        self._gone = asyncio.Event()
        self._accepted = False
        self._refusal: tuple[int, list[tuple[bytes, bytes]]] | None = None
        self._connected = False

    # what the transport and uvicorn call

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._peers.add(self)

    def data_received(self, data: bytes) -> None:
        if self._handshake is not None:
            self._keep_early(data)
            return
        try:
            self._handshake = parse_handshake(data)
        except BadHandshake as error:
            self._refuse(400, body=str(error).encode())
            return
        if not _handshakes_of(self._config).enter(self._begin):
            self._refuse(503)

    def _begin(self, place: Place) -> None:
        """It is this one's turn."""
        if self._gone.is_set() or self._handshake is None:
            self._loop.call_soon(place.leave)  # not at once: thousands may have gone while they waited
            return
        task = self._loop.create_task(self._run(self._scope(self._handshake)))
        task.add_done_callback(lambda _: place.leave())
        self._server_state.tasks.add(task)
        task.add_done_callback(self._server_state.tasks.discard)

    def connection_lost(self, exc: Exception | None) -> None:
        self._peers.discard(self)
        self._gone.set()

    def shutdown(self) -> None:
        """uvicorn stops. Whoever is in the middle of a handshake is told to come back."""
        if not self._accepted:
            self._refuse(503)
        self._transport.close()

    # the ASGI side

    async def _run(self, scope: Scope) -> None:
        try:
            await self._config.loaded_app(scope, self._receive, self._send)
        except Exception:  # noqa: BLE001 - the edge of the process: logged, and answered with 500
            _log.exception("a handshake failed")
        if self in self._peers:
            self._end_unfinished()

    def _end_unfinished(self) -> None:
        """The application is done and has neither refused nor taken the connection."""
        if not self._accepted:
            self._refuse(500)
        self._transport.close()

    def _scope(self, handshake: Handshake) -> Scope:
        root_path = self._config.root_path
        return {
            "type": "websocket",
            "asgi": {"version": self._config.asgi_version, "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "wss" if is_ssl(self._transport) else "ws",
            "server": get_local_addr(self._transport),
            "client": get_remote_addr(self._transport),
            "root_path": root_path,
            "path": root_path + handshake.path,
            "raw_path": root_path.encode("ascii") + handshake.raw_path,
            "query_string": handshake.query,
            "headers": handshake.headers,
            "subprotocols": handshake.subprotocols,
            "state": self._app_state.copy(),
            "extensions": {"websocket.http.response": {}, HANDOVER: {"take": self._take}},
        }

    async def _receive(self) -> Message:
        if not self._connected:
            self._connected = True
            return {"type": "websocket.connect"}
        await self._gone.wait()
        return {"type": "websocket.disconnect", "code": 1006}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.accept" and not self._accepted:
            self._accept(message)
        elif kind == "websocket.close" and not self._accepted:
            self._refuse(403)
        elif kind == "websocket.http.response.start":
            self._refusal = (message["status"], list(message.get("headers", ())))
        elif kind == "websocket.http.response.body" and self._refusal is not None:
            self._refuse(*self._refusal, body=message.get("body", b""))
        elif kind != "websocket.close":
            raise RuntimeError(
                f"{kind} is not possible here: after accepting, the connection must be taken over"
            )

    def _accept(self, message: Message) -> None:
        assert self._handshake is not None
        self._accepted = True
        if not self._transport.is_closing():
            headers = message.get("headers", ())
            self._transport.write(accept_response(self._handshake.key, headers, message.get("subprotocol")))

    def _refuse(
        self, status: int, headers: list[tuple[bytes, bytes]] | None = None, body: bytes = b""
    ) -> None:
        if not self._transport.is_closing():
            self._transport.write(plain_response(status, headers or [], body))
            self._transport.close()

    # the handover

    def _take(self, build: Builder[Built]) -> Built | None:
        """Give the transport away. None when the client is gone already."""
        if not self._accepted:
            raise RuntimeError("accept the handshake before taking the connection over")
        if self._transport.is_closing() or self._gone.is_set():
            return None
        self._peers.discard(self)
        connection = build(self._transport, self._peers)
        if self._early:
            connection.data_received(self._early)
        return connection

    def _keep_early(self, data: bytes) -> None:
        self._early += data
        if len(self._early) > MAX_EARLY_BYTES:
            self._transport.abort()

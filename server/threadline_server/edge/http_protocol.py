"""uvicorn's HTTP protocol class, with bounds on what a request may be before anything looks at it.

uvicorn waits for ever for a request that comes a byte at a time, keeps a head of any size, and takes as many
requests at once as one packet has. Here a socket has a bounded time for each request, head and body together,
from when it is opened; a head has a bounded size, give or take one read; and few requests may wait for one
before them. Requests stand in line behind those who are in, where there is much to do (`Turns`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any, ClassVar, cast

from httptools import HttpRequestParser
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from threadline_server.edge.options import DEFAULT_OPTIONS
from threadline_server.rooms.turns import Turns

_MOST_WAITING = 2
"""Requests behind the one that is answered. Browsers send the next one when they have the answer."""

_READ_NS = 20_000
_REQUEST_NS = 400_000
"""About what a read takes of the loop, and what a request does."""


@dataclass(slots=True)
class RequestBounds:
    """What all sockets of a node share: the bounds, and how often each was reached."""

    max_head_bytes: int = DEFAULT_OPTIONS.max_request_head_bytes
    head_s: float = DEFAULT_OPTIONS.request_head_s
    body_s: float = DEFAULT_OPTIONS.request_body_s
    heads_too_large_total: int = 0
    too_slow_total: int = 0
    too_many_waiting_total: int = 0

    def stats(self) -> dict[str, float]:
        return {
            "heads_too_large_total": self.heads_too_large_total,
            "requests_too_slow_total": self.too_slow_total,
            "requests_waiting_refused_total": self.too_many_waiting_total,
        }


class HttpProtocol(HttpToolsProtocol):
    """`bounds` and `turns` are set on a class derived for a node (`bounded_by`).

    Protocol and parser hold each other: four kilobytes a device, until the cycle collector comes by. So the
    parser is let go of where a socket becomes a WebSocket, or ends.
    """

    bounds: ClassVar[RequestBounds] = RequestBounds()
    turns: ClassVar[Turns] = Turns()

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._head_bytes = 0
        self._in_head = True
        self._deadline: asyncio.TimerHandle | None = None
        self._deferred = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch(self.bounds.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)
        self.parser = cast(HttpRequestParser, None)

    def data_received(self, data: bytes) -> None:
        turns = self.turns
        if self._deferred:
            self._deferred += data
        elif turns.defers(turns.door, perf_counter_ns()):
            self._deferred = data
            self.flow.pause_reading()
            turns.wait(self)
        else:
            self._take(data)

    def take_turn(self, until_ns: int) -> bool:
        """What `Turns` calls when those before it in line had theirs."""
        data, self._deferred = self._deferred, b""
        if self.transport.is_closing():
            return False
        self.flow.resume_reading()
        self._take(data)
        return True

    def _take(self, data: bytes) -> None:
        self.turns.note(self.turns.door, _READ_NS)
        if self._in_head:
            if self._head_bytes > self.bounds.max_head_bytes:
                self.bounds.heads_too_large_total += 1
                self._refuse(431, "Request Header Fields Too Large")
                return
            self._head_bytes += len(data)
        super().data_received(data)

    # what the parser calls

    def on_message_begin(self) -> None:
        self._in_head = True
        if self._deadline is None:
            self._watch(self.bounds.head_s)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_bytes = 0
        if len(self.pipeline) >= _MOST_WAITING:
            self.bounds.too_many_waiting_total += 1
            raise ConnectionAbortedError("too many requests wait on one socket")
        self._watch(self.bounds.body_s)
        self.turns.note(self.turns.door, _REQUEST_NS)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._unwatch()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._unwatch()
        super().handle_websocket_upgrade()
        self.parser = cast(HttpRequestParser, None)

    # the deadline

    def _watch(self, seconds: float) -> None:
        self._unwatch()
        self._deadline = self.loop.call_later(seconds, self._too_slow)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        self.bounds.too_slow_total += 1
        self._refuse(408, "Request Timeout")

    def _refuse(self, status: int, phrase: str) -> None:
        """Say why, where nothing was answered yet, and end it."""
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            head = f"HTTP/1.1 {status} {phrase}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            self.transport.write(head.encode())
        self.transport.close()


def bounded_by(bounds: RequestBounds, turns: Turns) -> type[HttpProtocol]:
    """The protocol class of one node."""
    return type("BoundedHttpProtocol", (HttpProtocol,), {"bounds": bounds, "turns": turns})

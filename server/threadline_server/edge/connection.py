"""One WebSocket after its handshake: an asyncio protocol on the bare transport, a few hundred bytes each.

It cuts messages out of the stream, answers control frames and paces a fast sender; what messages mean is its
receiver's business. Nothing here is a task: the transport calls in, the receiver and the rooms call out.
"""

from __future__ import annotations

import asyncio
from time import perf_counter_ns
from typing import Final, Protocol, cast

import structlog

from threadline.protocol.close_codes import (
    IDLE_TIMEOUT,
    INTERNAL_ERROR,
    MALFORMED,
    NORMAL,
    OVERLOADED,
    RESTARTING,
    TOO_FAST,
    TOO_LARGE,
    TOO_SLOW,
    CloseCode,
)
from threadline.protocol.errors import MalformedFrame, Oversized
from threadline_server.edge.connections import Connections
from threadline_server.edge.frame_reader import FrameReader
from threadline_server.edge.frames import BINARY, CLOSE, PING, PING_FRAME, close_frame, pong_frame
from threadline_server.rooms.turns import Account

_log = structlog.get_logger()

# Why the transport is not read; the reasons are independent of each other.
_HELD: Final = 1  # the store is behind
_TURN: Final = 2  # it stands in line for its turn
_FAST: Final = 4  # it is over the sustained rate
_DEAF: Final = 8  # it sends and sends, but does not read what it is answered

_MOST_UNREAD: Final = 1024
"""Messages handled for a congested device, each of which may be answered."""

_LOOK_EVERY: Final = 8
_LARGE_BYTES: Final = 4_096
"""The clock is looked at after so many messages, and after each one that is larger than this."""


class Dismissed(Exception):
    """The socket ends, with a code and a detail."""

    def __init__(self, close: CloseCode, detail: str = "") -> None:
        super().__init__(close.reason(detail))
        self.close = close
        self.detail = detail


class Receiver(Protocol):
    """One dialect on one socket."""

    def receive(self, message: bytes, /) -> None:
        """One binary message. Raises MalformedFrame or Dismissed to have the socket closed."""

    def most_bytes(self, prefix: bytes, /) -> int:
        """The largest message allowed that begins with `prefix`."""

    def congest(self, congested: bool, /) -> None:
        """The transport holds more, or no longer more, than the high-water mark."""

    def heartbeat(self, /) -> bytes:
        """Frames that let the client's application see that the server lives; b"" for none."""

    def lost(self, /) -> None:
        """The socket is gone or going; called once."""


class Connection:
    """account: that of its user; of all strangers, before a token was shown

    `peers` is the set in which uvicorn looks for what it must shut down.

    It has the methods of an `asyncio.Protocol` without being derived from it, so that it can be compiled.
    """

    __slots__ = (
        "_close_timer",
        "_closing",
        "_connections",
        "_due_s",
        "_fast_since_s",
        "_gone",
        "_loop",
        "_lost_track",
        "_pauses",
        "_peers",
        "_reader",
        "_receiver",
        "_reserved",
        "_silent",
        "_slice",
        "_unread",
        "account",
        "congested",
        "transport",
    )

    def __init__(self, transport: asyncio.Transport, connections: Connections, peers: set[object]) -> None:
        limits = connections.limits
        self.transport = transport
        self.congested = False
        self.account: Account = connections.turns.door
        self._connections = connections
        self._peers = peers
        self._loop = asyncio.get_running_loop()
        self._receiver: Receiver | None = None
        free_bytes = min(
            limits.large_frame_bytes, limits.max_unauthenticated_frame_bytes, limits.max_frame_bytes
        )
        self._reader = FrameReader(free_bytes, self._grant)
        self._reserved = 0
        self._pauses = 0
        self._due_s = 0.0
        self._fast_since_s = 0.0
        self._silent = 0
        self._unread = 0
        self._closing = False
        self._gone = False
        self._lost_track = False
        self._close_timer: asyncio.TimerHandle | None = None
        self._slice = connections.add(self)
        peers.add(self)
        transport.set_write_buffer_limits(high=limits.high_water_bytes)
        transport.set_protocol(cast(asyncio.Protocol, self))

    # what the transport calls

    def data_received(self, data: bytes) -> None:
        self._silent = 0
        if self._lost_track:
            return
        self._reader.feed(data)
        if self._closing:
            self._await_close()
        elif self._pauses:
            self._charge(0, len(data))
        else:
            self._work(len(data))

    def eof_received(self) -> None:
        """The transport closes itself then."""

    def pause_writing(self) -> None:
        self.congested = True
        if self._receiver is not None:
            self._receiver.congest(True)

    def resume_writing(self) -> None:
        self.congested = False
        self._unread = 0
        if self._receiver is not None:
            self._receiver.congest(False)
        self._resume(_DEAF)

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = True
        self._detach()
        self._closing = True
        if self._close_timer is not None:
            self._close_timer.cancel()
        self._connections.discard(self, self._slice)
        self._peers.discard(self)
        self._reader.forget()  # which holds this: thousands would wait for the cycle collector to come by

    # what receivers, rooms and the server call

    def serve(self, receiver: Receiver) -> None:
        """From now on messages go to `receiver`."""
        if self._closing:
            receiver.lost()
            return
        self._receiver = receiver
        if self._reader.has_more:
            self._work(0)

    def belong_to(self, user: str) -> None:
        """What comes from now on is this user's work."""
        self.account = self._connections.turns.account_of(user)

    def write(self, data: bytes) -> None:
        """Frames, or the next piece of one. Nothing where the socket is gone: whoever writes may not have
        heard of it yet, and uvloop raises then.
        """
        if not self._gone:
            self.transport.write(data)

    def hold(self, held: bool) -> None:
        """Stop, or go on, reading from this device."""
        if held:
            self._pause(_HELD)
        else:
            self._resume(_HELD)

    def close(self, code: int, reason: str) -> None:
        """Say why, then wait a bounded time for the client to close."""
        if self._closing:
            return
        self._closing = True
        self._connections.note_closing(code)
        self._detach()
        self.write(close_frame(code, reason))
        if self._pauses:
            self._pauses = 0
            self.transport.resume_reading()
        timeout_s = self._connections.limits.close_timeout_s
        self._close_timer = self._loop.call_later(timeout_s, self.transport.abort)

    def close_with(self, close: CloseCode, detail: str = "") -> None:
        self.close(close.code, close.reason(detail))

    def fail(self, error: Exception) -> None:
        """Close as a failure to handle a message asks for; one that nobody foresaw is logged."""
        if isinstance(error, Dismissed):
            self.close_with(error.close, error.detail)
        elif isinstance(error, Oversized):
            self.close_with(TOO_LARGE, error.message)
        elif isinstance(error, MalformedFrame):
            self.close_with(MALFORMED, error.message)
        else:
            _log.error("a message could not be handled", exc_info=error)
            self.close_with(INTERNAL_ERROR)

    def leave(self) -> None:
        self.close_with(RESTARTING)

    def shutdown(self) -> None:
        """`leave`, under the name that uvicorn calls."""
        self.leave()

    def beat(self, most_silent: int) -> None:
        """Once per heartbeat: ping, and close one from which nothing was heard `most_silent` times."""
        if self._closing or self._receiver is None:
            return
        if self._silent >= most_silent:
            self._cut_off(TOO_SLOW if self.congested else IDLE_TIMEOUT)
            return
        self._silent += 1
        if not self.congested:
            self.write(PING_FRAME + self._receiver.heartbeat())

    # reading

    def _work(self, size: int) -> None:
        """Handle what is buffered, and charge `size` bytes for it; or stand in line with it."""
        turns = self._connections.turns
        now_ns = perf_counter_ns()
        if turns.defers(self.account, now_ns):
            self._pause(_TURN)
            self._charge(0, size)
            turns.wait(self)
        else:
            self._handle_until(turns.until_ns(self.account, now_ns), now_ns, size)

    def take_turn(self, until_ns: int) -> bool:
        """What `Turns` calls when those before it in line had theirs."""
        if self._pauses & _TURN and not self._closing:
            self._pauses &= ~_TURN
            if not self._pauses:
                self._handle_until(until_ns, perf_counter_ns(), 0)
                if not self._pauses and not self.transport.is_closing():
                    self.transport.resume_reading()  # where this closes it, to see the peer do so
        return False

    def _handle_until(self, until_ns: int, now_ns: int, size: int) -> None:
        account = self.account
        turns = self._connections.turns
        try:
            handled = self._handle(until_ns)
        except Exception as error:  # noqa: BLE001 - the edge of the process: answered with a code
            self.fail(error)
        else:
            self._charge(handled, size)
            if self._pauses & _TURN:
                turns.wait(self)
        began_ns, now_ns = now_ns, perf_counter_ns()
        turns.charge(account, began_ns, now_ns)
        turns.flush_late(now_ns)

    def _handle(self, until_ns: int) -> int:
        """How many frames were handled; where more may be there and the time is up, it is to wait."""
        reader = self._reader
        most = self._connections.frames_per_turn
        handled = 0
        while not self._pauses and self._receiver is not None:
            message = reader.next()
            if message is None:
                break
            handled += 1
            if reader.opcode == BINARY:
                if self._reserved:
                    self._release()
                if self.congested:
                    self._count_unread()
                self._receiver.receive(message)
            elif reader.opcode == CLOSE:
                self._answer_close(message)
            elif reader.opcode == PING and not self.congested:
                self.write(pong_frame(message))
            if handled >= most or (
                (handled % _LOOK_EVERY == 0 or len(message) > _LARGE_BYTES) and perf_counter_ns() > until_ns
            ):
                if reader.has_more:
                    self._pause(_TURN)
                break
        return handled

    def _count_unread(self) -> None:
        self._unread += 1
        if self._unread > _MOST_UNREAD:
            self._pause(_DEAF)

    def _charge(self, frames: int, size: int) -> None:
        """A leaky bucket: `_due_s` is when this sender is back in its sustained rate."""
        connections = self._connections
        now_s = self._loop.time()
        if self._due_s <= now_s:
            self._due_s = now_s
            self._fast_since_s = 0.0
        self._due_s += frames * connections.frame_s + size * connections.byte_s
        ahead_s = self._due_s - now_s - connections.burst_s
        if ahead_s <= 0.0 or self._closing:
            return
        if not self._fast_since_s:
            self._fast_since_s = now_s
        if now_s - self._fast_since_s > connections.limits.abuse_s:
            self.close_with(TOO_FAST)
            return
        self._pause(_FAST)
        self._loop.call_later(ahead_s, self._read_on)

    def _read_on(self) -> None:
        """Back within the burst. What the loop was late is no break that the sender made."""
        if self._pauses & _FAST:
            self._due_s = max(self._due_s, self._loop.time() + self._connections.burst_s)
            self._resume(_FAST)

    def _grant(self, size: int, prefix: bytes) -> None:
        """A large message is announced: is it allowed, and is there room for it?"""
        most = 0 if self._receiver is None else self._receiver.most_bytes(prefix)
        if size > most:
            raise Oversized("a message", size, most)
        if not self._connections.reserve(size - self._reserved):
            raise Dismissed(OVERLOADED)
        self._reserved = size

    def _release(self) -> None:
        self._connections.release(self._reserved)
        self._reserved = 0

    def _pause(self, reason: int) -> None:
        if not self._pauses and not self._closing:
            self.transport.pause_reading()
        self._pauses |= reason

    def _resume(self, reason: int) -> None:
        if not self._pauses & reason or self._closing:
            return
        self._pauses &= ~reason
        if not self._pauses:
            self.transport.resume_reading()
            self._work(0)

    # ending

    def _answer_close(self, payload: bytes) -> None:
        self._closing = True
        self._detach()
        code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else NORMAL.code
        self.write(close_frame(code))
        self.transport.close()

    def _await_close(self) -> None:
        """After our close frame only the peer's matters.

        In bytes that cannot be read it is not found. They are dropped until the peer goes, which the end of
        our own stream makes it do; closing at once would reset the connection and lose the code on its way.
        """
        try:
            while self._reader.next() is not None:
                if self._reader.opcode == CLOSE:
                    self.transport.close()
                    return
        except (MalformedFrame, Dismissed):
            self._lost_track = True
            if self.transport.can_write_eof():
                self.transport.write_eof()

    def _cut_off(self, close: CloseCode) -> None:
        """Close without waiting: this peer does not read."""
        self.close_with(close)
        self.transport.abort()

    def _detach(self) -> None:
        if self._reserved:
            self._release()
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.lost()

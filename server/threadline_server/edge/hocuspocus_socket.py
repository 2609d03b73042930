"""The Hocuspocus dialect on one socket: frames find their document by address."""

from __future__ import annotations

import asyncio

from threadline.protocol import close_codes
from threadline.protocol.awareness import EMPTY_AWARENESS
from threadline.protocol.errors import MalformedFrame
from threadline.protocol.hocuspocus import PING_FRAME, PONG_FRAME, Ping, Pong, decode_from_client
from threadline.protocol.limits import MAX_ADDRESS_BYTES
from threadline.protocol.varint import Reader, encode_text
from threadline_server.edge.connection import Connection, Dismissed
from threadline_server.edge.document_channel import plain_bytes
from threadline_server.edge.entrance import Entrance
from threadline_server.edge.frames import binary_frame
from threadline_server.edge.hocuspocus_channel import HocuspocusChannel, Stage
from threadline_server.edge.ywebsocket_channel import most_sync_bytes

_PING = binary_frame(PING_FRAME)
_PONG = binary_frame(PONG_FRAME)


class HocuspocusSocket:
    """The receiver of one socket.

    `query_token` is that of the address, for a provider that sends an empty one in-band.
    """

    __slots__ = (
        "_address",
        "_channels",
        "_connection",
        "_denials",
        "_entrance",
        "_knows_ping",
        "_loop",
        "_opened",
        "_queued_bytes",
        "_since_s",
        "_timer",
        "query_token",
    )

    def __init__(
        self, connection: Connection, entrance: Entrance, query_token: str = "", address: str = ""
    ) -> None:
        """`address` was counted by the entrance."""
        self._address = address
        self._connection = connection
        self.query_token = query_token
        self._entrance = entrance
        self._channels: dict[bytes, HocuspocusChannel] = {}
        self._loop = asyncio.get_running_loop()
        self._queued_bytes = 0
        self._denials = 0
        self._opened = False
        self._knows_ping = False
        self._since_s = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._watch(self._entrance.limits.authentication_deadline_s)

    def receive(self, message: bytes) -> None:
        if message and message[0] < 0x80:
            body = message[0] + 1
            channel = self._channels.get(message[:body])
            if (
                channel is not None
                and channel.room is not None
                and message[body : body + 2] == b"\x00\x02"
                and (update := plain_bytes(message, body + 2)) is not None
            ):
                channel.room.receive_update(channel, update, whole=False)
                return
        self._receive_any(message)

    def _receive_any(self, message: bytes) -> None:
        frame = decode_from_client(message, self._entrance.limits)
        if isinstance(frame.message, Ping):
            if not self._connection.congested:
                self._connection.write(_PONG)
        elif not isinstance(frame.message, Pong):
            channel = self._channel_at(encode_text(frame.address))
            channel.receive(frame.address, frame.message, len(message))

    def _channel_at(self, address: bytes) -> HocuspocusChannel:
        channel = self._channels.get(address)
        if channel is None:
            self._check_count()
            now_s = self._loop.time()
            channel = HocuspocusChannel(self, self._connection, self._entrance, address, now_s)
            self._channels[address] = channel
            if self._timer is None:
                self._watch(self._entrance.limits.authentication_deadline_s)
        return channel

    def _check_count(self) -> None:
        limits = self._entrance.limits
        unopened = sum(channel.stage in (Stage.WAITING, Stage.OPENING) for channel in self._channels.values())
        if unopened >= limits.max_pending_documents or len(self._channels) >= limits.max_documents_per_socket:
            raise Dismissed(close_codes.TOO_MANY_DOCUMENTS)

    def most_bytes(self, prefix: bytes) -> int:
        limits = self._entrance.limits
        if not self._opened:
            return limits.max_unauthenticated_frame_bytes
        reader = Reader(prefix)
        try:
            reader.read_bytes(MAX_ADDRESS_BYTES, "address")
        except MalformedFrame:
            return limits.max_frame_bytes
        channel = self._channels.get(prefix[: reader.position])
        if channel is None:
            return limits.max_frame_bytes
        return most_sync_bytes(channel, prefix[reader.position : reader.position + 2], limits) + len(
            channel.address
        )

    def congest(self, congested: bool) -> None:
        for channel in tuple(self._channels.values()):
            channel.congest(congested)

    def heartbeat(self) -> bytes:
        if self._knows_ping:
            return _PING
        for channel in self._channels.values():
            if channel.room is not None:
                return channel.encoder.awareness(EMPTY_AWARENESS)
        return b""

    def lost(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._entrance.addresses.leave(self._address)
        channels, self._channels = self._channels, {}
        for channel in channels.values():
            channel.abandon()

    # what channels call

    def queue(self, size: int) -> None:
        self._queued_bytes += size
        if self._queued_bytes > self._entrance.limits.max_pending_bytes:
            raise Dismissed(close_codes.NOT_AUTHENTICATED)

    def forget(self, channel: HocuspocusChannel) -> None:
        self._channels.pop(channel.address, None)

    def opened(self, version: str | None) -> None:
        self._opened = True
        self._knows_ping = self._knows_ping or version is not None

    def denied(self) -> None:
        self._denials += 1
        if self._denials >= self._entrance.limits.max_denials:
            self._connection.close_with(close_codes.UNAUTHORIZED, "too many tokens were denied")

    # the deadline for tokens

    def _watch(self, delay_s: float) -> None:
        self._timer = self._loop.call_later(delay_s, self._check_deadline)

    def _check_deadline(self) -> None:
        self._timer = None
        waiting = [c.since_s for c in self._channels.values() if c.stage is Stage.WAITING]
        if not self._channels and not self._opened:
            waiting.append(self._since_s)
        if not waiting:
            return
        left_s = min(waiting) + self._entrance.limits.authentication_deadline_s - self._loop.time()
        if left_s <= 0:
            self._connection.close_with(close_codes.AUTHENTICATION_TIMEOUT)
        else:
            self._watch(left_s)

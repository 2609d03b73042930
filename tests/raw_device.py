"""A device made of nothing but frames and a `pycrdt.Doc`, so that the server is tested without the SDK.

It speaks the Hocuspocus dialect, counts acknowledgements, and keeps every frame it got.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from pycrdt import Doc, Map, Text, TransactionEvent
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from threadline.document.digest import session_digest
from threadline.ids import new_client_id, new_entry_id
from threadline.protocol import hocuspocus
from threadline.protocol.credentials import Credentials, encode_credentials
from threadline.protocol.hocuspocus import (
    Authenticate,
    Authenticated,
    CloseDocument,
    Message,
    ServerMessage,
    Stateless,
    SyncStatus,
    TokenRequested,
)
from threadline.protocol.limits import Limits
from threadline.protocol.notices import Hello, Notice, decode_note
from threadline.protocol.sync import SyncStep1, SyncStep2, Update
from threadline.protocol.ywebsocket import AwarenessUpdate, PermissionDenied
from threadline.update_ranges import read_ranges, read_state_vector

PATIENCE_S = 20.0
EMPTY_UPDATE = b"\x00\x00"
ANY_SIZE = Limits(max_step2_bytes=1 << 30)  # a session may be larger than what one device may send at once


def websocket_url(url: str, path: str = "/sync") -> str:
    return url.replace("http", "ws", 1) + path


class RawDevice:
    """One document on one socket. `doc` survives `leave` and `join`, as a device's replica does."""

    def __init__(self, session: str, user: str, device: str = "", token: str = "") -> None:
        self.session = session
        self.user = user
        self.token = token or user
        self.device = device
        self.doc: Doc[Any] = Doc(client_id=new_client_id())
        self.sent = 0
        self.acknowledged = 0
        self.refused = 0
        self.asked = 0
        self.synced = False
        self.synced_with = b""
        self.hello: Hello | None = None
        self.notices: list[Notice] = []
        self.denied: str | None = None
        self.document_closed: str | None = None
        self.frames: list[ServerMessage] = []
        self.awareness: list[bytes] = []
        self.scopes: list[str] = []
        self.on_frame: Callable[[], None] = lambda: None
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._heard = asyncio.Condition()
        self._waiting = 0
        self._outbox: list[bytes] = []
        self._promises: deque[int] = deque()
        self.durable_clock = 0
        self._applying = False
        self._leaving = False
        self._subscription = self.doc.observe(self._observed)

    async def join(self, url: str) -> None:
        """Connect, authenticate, exchange states; counters start anew."""
        self.sent = self.acknowledged = self.refused = 0
        self.synced, self.denied, self.document_closed, self.hello = False, None, None, None
        self._leaving = False
        self._outbox.clear()
        self._promises.clear()
        self._socket = await connect(
            websocket_url(url), compression=None, max_size=None, ping_interval=None, proxy=None
        )
        self._reader = asyncio.create_task(self._read(self._socket))
        token = encode_credentials(Credentials(self.token, device=self.device))
        await self.send(Authenticate(token, "4.8.0"))
        await self.send(SyncStep1(self.doc.get_state()))

    async def leave(self) -> None:
        self._leaving = True
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            await self._reader
        self._socket = self._reader = None

    def forget(self) -> None:
        """Let go of the document, which would keep this device for ever: its cycle runs through Rust."""
        self.doc.unobserve(self._subscription)

    async def abandon(self) -> None:
        """End the connection as a device does that lost its network: without a word."""
        if self._socket is not None:
            self._socket.transport.abort()
        if self._reader is not None:
            await self._reader
        self._socket = self._reader = None

    @property
    def close_code(self) -> int | None:
        """The socket's close code, None while it is open."""
        return None if self._socket is None else self._socket.close_code

    @property
    def transport(self) -> asyncio.WriteTransport:
        """For bytes that no library would send."""
        assert self._socket is not None
        return self._socket.transport

    @property
    def close_reason(self) -> str:
        return "" if self._socket is None else self._socket.close_reason or ""

    async def send_text(self, text: str) -> None:
        assert self._socket is not None
        await self._socket.send(text)

    async def send_large(self, start: bytes, size: int) -> None:
        """One message of `size` bytes that begins with `start`, in fragments, until the server has enough."""
        assert self._socket is not None
        chunk = bytes(64 * 1024)

        async def fragments() -> AsyncIterator[bytes]:
            yield start
            for _ in range(size // len(chunk)):
                yield chunk

        with contextlib.suppress(ConnectionClosed):
            await self._socket.send(fragments())

    async def send(self, message: Message) -> None:
        await self.send_bytes(hocuspocus.encode(self.session, message))

    async def send_update(self, update: bytes, *, whole: bool = False) -> None:
        """An update, or a step 2, that this device's document knows nothing of."""
        self._expect_acknowledgement()
        await self.send(SyncStep2(update) if whole else Update(update))

    async def send_bytes(self, frame: bytes) -> None:
        assert self._socket is not None
        await self._socket.send(frame)

    async def flush(self) -> None:
        """Send what was edited; does nothing for a device that is not joined."""
        if self._socket is None:
            self._outbox.clear()
            return
        outbox, self._outbox = self._outbox, []
        for update in outbox:
            _, end = read_ranges(update).adds.get(self.doc.client_id, (0, 0))
            self._expect_acknowledgement(end)
            await self.send(Update(update))

    async def set(self, key: str, value: object) -> None:
        """One leaf of the session's state; `key` is a JSON Pointer."""
        self.doc.get("state", type=Map)[key] = value
        await self.flush()

    async def say(self, text: str, role: str = "user") -> str:
        """A message of this device's user; its id is given back."""
        entry = new_entry_id(self.user)
        message: dict[str, Any] = {
            "role": role,
            "author": {"user": self.user, "device": self.device, "name": self.user},
            "created_at": 1,
            "status": "complete",
            "text": Text(text),
        }
        with self.doc.transaction():
            self.doc.get("messages", type=Map)[entry] = Map(message)
        await self.flush()
        return str(entry)

    async def type(self, message: str, text: str) -> None:
        """Append to a message's text."""
        self.text_of(message).insert(len(self.text_of(message)), text)
        await self.flush()

    def text_of(self, message: str) -> Text:
        found = self.messages[message]["text"]
        assert isinstance(found, Text)
        return found

    @property
    def clock(self) -> int:
        """How many units this device has written under its client id; `durable_clock` of them are saved."""
        return read_state_vector(self.doc.get_state()).get(self.doc.client_id, 0)

    @property
    def state(self) -> dict[str, Any]:
        return dict(self.doc.get("state", type=Map).to_py() or {})

    @property
    def messages(self) -> Map[Any]:
        messages: Map[Any] = self.doc.get("messages", type=Map)
        return messages

    def digest(self) -> str:
        """Equal for devices whose documents have equal content."""
        return session_digest(self.doc)

    async def until(self, condition: Callable[[], bool], what: str = "it happened") -> None:
        """Wait, bounded, until `condition` holds; it is asked after every frame and at the end."""
        async with self._heard:
            self._waiting += 1
            try:
                await asyncio.wait_for(self._heard.wait_for(condition), PATIENCE_S)
            except TimeoutError:
                raise AssertionError(f"{self.user} in {self.session} waited in vain until {what}") from None
            finally:
                self._waiting -= 1

    async def until_synced(self) -> None:
        await self.until(lambda: self.synced, "the session came")

    async def until_saved(self) -> None:
        """Every update sent since the join, and the step 2, is acknowledged."""
        await self.until(lambda: self.acknowledged == self.sent, "all was acknowledged")

    async def send_incomplete(self, update: bytes, *, whole: bool = False) -> None:
        """Send something that leans on what the server lacks, and wait until it asks for that."""
        asked = self.asked
        await self.send_update(update, whole=whole)
        await self.until(lambda: self.asked > asked, "the server asked for what is missing")

    async def until_answered(self) -> None:
        """Everything sent before is handled: a step 1 sent now is answered, or the document ended."""
        self.synced = False
        await self.send(SyncStep1(b"\x00"))
        await self.until(
            lambda: self.synced or self.document_closed is not None or self.close_code is not None,
            "the server answered",
        )

    async def until_closed(self) -> int:
        """The close code of the socket, once it has ended."""
        await self.until(lambda: self.close_code is not None, "the socket was closed")
        assert self.close_code is not None
        return self.close_code

    def _observed(self, event: TransactionEvent) -> None:
        if not self._applying and event.update != EMPTY_UPDATE:
            self._outbox.append(event.update)

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for data in socket:
                assert isinstance(data, bytes)
                await self._handle(hocuspocus.decode_from_server(data, ANY_SIZE).message)
                self.on_frame()
                if self._waiting:
                    await self._notify()
        except ConnectionClosed:
            pass
        await self._notify()

    async def _notify(self) -> None:
        async with self._heard:
            self._heard.notify_all()

    async def _handle(self, message: ServerMessage) -> None:
        self.frames.append(message)
        match message:
            case SyncStep1(state_vector):
                self.asked += 1
                if self._leaving:
                    return  # an answer would wait for the end of the socket, and nobody would read that
                self._expect_acknowledgement()
                await self.send(SyncStep2(self.doc.get_update(state_vector)))
            case SyncStep2(update):
                self._apply(update)
                if not self.synced:
                    self.synced, self.synced_with = True, self.doc.get_state()
            case Update(update):
                self._apply(update)
            case SyncStatus(applied):
                self._count(applied)
            case Stateless(payload):
                self._note(payload)
            case PermissionDenied(reason):
                self.denied = reason
            case CloseDocument(reason):
                self.document_closed = reason
            case AwarenessUpdate(update):
                self.awareness.append(update)
            case Authenticated(scope):
                self.scopes.append(str(scope))
            case TokenRequested():
                await self.send(Authenticate(self.token, "4.8.0"))

    def _expect_acknowledgement(self, clock: int | None = None) -> None:
        """Once more; what is written up to `clock` is durable then, everything so far where it is None."""
        self.sent += 1
        self._promises.append(self.clock if clock is None else clock)

    def _count(self, applied: bool) -> None:
        if not applied:
            self.refused += 1
            return
        self.acknowledged += 1
        self.durable_clock = max(self.durable_clock, self._promises.popleft())

    def _note(self, payload: str) -> None:
        note = decode_note(payload)
        if isinstance(note, Hello):
            self.hello = note
        else:
            self.notices.append(note)

    def _apply(self, update: bytes) -> None:
        self._applying = True
        try:
            self.doc.apply_update(update)
        finally:
            self._applying = False


@asynccontextmanager
async def raw_device(
    url: str, session: str, user: str, device: str = "", token: str = ""
) -> AsyncIterator[RawDevice]:
    """A joined and synced device, which leaves at the end."""
    raw = RawDevice(session, user, device, token)
    await raw.join(url)
    try:
        await raw.until_synced()
        yield raw
    finally:
        await raw.leave()


async def until_equal(*devices: RawDevice) -> None:
    """Wait, bounded, until all devices hold the same content."""
    heard = asyncio.Event()
    for device in devices:
        device.on_frame = heard.set
    try:
        async with asyncio.timeout(PATIENCE_S):
            while len({device.digest() for device in devices}) > 1:
                heard.clear()
                await heard.wait()
    except TimeoutError:
        contents = [dict(device.state) for device in devices]
        raise AssertionError(f"the devices stay different: {contents}") from None

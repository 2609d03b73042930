"""A device made of nothing but frames and a document, in either dialect: for trying a server from outside.

It knows the protocol page and no more, so what it finds holds for any client.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from enum import StrEnum
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

from pycrdt import Doc, Map, TransactionEvent
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from threadline.ids import new_client_id
from threadline.protocol import hocuspocus, ywebsocket
from threadline.protocol.credentials import Credentials, encode_credentials
from threadline.protocol.notices import Hello, decode_note
from threadline.protocol.sync import EMPTY_STATE_VECTOR, EMPTY_UPDATE, SyncStep1, SyncStep2, Update
from threadline.protocol.ywebsocket import AwarenessUpdate

PROVIDER_VERSION = "4.8.0"
PATIENCE_S = 10.0


class Dialect(StrEnum):
    HOCUSPOCUS = "hocuspocus"
    Y_WEBSOCKET = "y-websocket"


class WaitedInVain(Exception):
    """Something the protocol promises did not come in time."""


class NotReached(Exception):
    """There is no server of this kind at the address."""


class Device:
    """An async context manager: joined inside it, and gone at its end.

    doc:      its replica; what is written to it goes out with `flush`
    source:   what it answers the server's step 1 with; its replica, unless a trial puts another there
    applies:  whether updates go into the replica, or are only counted
    received: updates of others
    saved:    acknowledgements so far (Hocuspocus only)
    synced:   whether the server's step 2 came
    asked:    step 1 messages of the server
    refused:  updates that the server would not take
    ended:    why the document or the token was turned away; None while it was not
    presence: awareness updates as they came
    others:   what came for other documents of the same socket, by address
    """

    def __init__(
        self,
        url: str,
        session: str,
        token: str,
        dialect: Dialect = Dialect.HOCUSPOCUS,
        *,
        lineage: str = "",
        doc: Doc[Any] | None = None,
        applies: bool = True,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.url = url
        self.session = session
        self.dialect = dialect
        self.doc: Doc[Any] = Doc(client_id=new_client_id()) if doc is None else doc
        self.source = self.doc
        self.applies = applies
        self.received = 0
        self.patience_s = patience_s
        self.hello: Hello | None = None
        self.scope = ""
        self.sent = self.saved = self.asked = self.refused = self.pongs = 0
        self.synced = False
        self.ended: str | None = None
        self.presence: list[bytes] = []
        self.others: list[tuple[str, hocuspocus.ServerMessage]] = []
        self.on_update: Callable[[bytes], None] = lambda update: None
        self.on_saved: Callable[[], None] = lambda: None
        self._token = token
        self._lineage = lineage
        self._outbox: list[bytes] = []
        self._applying = False
        self._heard = asyncio.Event()
        self._watch = self.doc.observe(self._observed)

    async def __aenter__(self) -> Self:
        """Raises NotReached."""
        try:
            self._socket = await connect(
                self._address(), compression=None, max_size=None, ping_interval=None, proxy=None
            )
        except (OSError, InvalidHandshake, TimeoutError) as error:
            raise NotReached(f"{self.url} does not answer as a Threadline server: {error}.") from error
        self._reader = asyncio.create_task(self._read(self._socket))
        if self.dialect is Dialect.HOCUSPOCUS:
            credentials = Credentials(self._token, lineage=self._lineage)
            await self.send(hocuspocus.Authenticate(encode_credentials(credentials), PROVIDER_VERSION))
        await self.send(SyncStep1(self.doc.get_state() or EMPTY_STATE_VECTOR))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.doc.unobserve(self._watch)
        with contextlib.suppress(ConnectionClosed):
            await self._socket.close()
        await self._reader

    def _address(self) -> str:
        base = self.url.rstrip("/").replace("http", "ws", 1)
        if self.dialect is Dialect.HOCUSPOCUS:
            return f"{base}/sync"
        attributes = {"token": self._token} | ({"lineage": self._lineage} if self._lineage else {})
        return f"{base}/sync/{quote(self.session)}?{urlencode(attributes)}"

    # sending

    async def send(self, message: hocuspocus.Message) -> None:
        """One message in this device's dialect; of an ended socket nothing is sent."""
        if self.dialect is Dialect.HOCUSPOCUS:
            await self.send_bytes(hocuspocus.encode(self.session, message))
        else:
            assert isinstance(message, ywebsocket.ServerMessage)
            await self.send_bytes(ywebsocket.encode(message))

    async def send_bytes(self, frame: bytes) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self._socket.send(frame)

    async def set(self, key: str, value: object) -> None:
        """One leaf of the session's state."""
        self.doc.get("state", type=Map)[key] = value
        await self.flush()

    async def flush(self) -> None:
        outbox, self._outbox = self._outbox, []
        for update in outbox:
            await self.send_update(update)

    async def send_update(self, update: bytes) -> None:
        """One update, which this device's replica need not know."""
        self.sent += 1
        await self.send(Update(update))

    # what it sees

    @property
    def state(self) -> dict[str, Any]:
        return dict(self.doc.get("state", type=Map).to_py() or {})

    @property
    def close_code(self) -> int | None:
        """The socket's close code, None while it is open."""
        return self._socket.close_code

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait, bounded, until `condition` holds. Raises WaitedInVain."""
        try:
            async with asyncio.timeout(self.patience_s):
                while not condition():
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            seen = self.ended or (self.close_code and f"the socket was closed with {self.close_code}")
            raise WaitedInVain(
                f"{what}, waited for {self.patience_s:g} s; {seen or 'nothing came'}"
            ) from None

    async def until_synced(self) -> None:
        await self.until(lambda: self.synced, "the session did not come")

    async def round_trip(self) -> None:
        """Whatever was sent before is handled by now, and answered as far as it is answered at once."""
        self.synced = False
        await self.send(SyncStep1(self.doc.get_state()))
        await self.until(lambda: self.synced or self.over, "a step 1 was not answered")

    @property
    def over(self) -> bool:
        """The server ended the document or the socket."""
        return self.ended is not None or self.close_code is not None

    async def until_over(self, what: str) -> str:
        """The reason that the server gives, or the code of the socket where it gives none."""
        await self.until(lambda: self.over, what)
        return self.ended or f"{self.close_code} {self._socket.close_reason or ''}"

    async def until_saved(self) -> None:
        """Every update sent, and the step 2 that answers the server's step 1, is acknowledged."""
        expected = self.sent + 1
        await self.until(lambda: self.saved >= expected, "not all was acknowledged")

    # receiving

    def _observed(self, event: TransactionEvent) -> None:
        if not self._applying and event.update != EMPTY_UPDATE:
            self._outbox.append(event.update)

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for data in socket:
                message = self._decoded(data if isinstance(data, bytes) else b"")
                if message is not None:
                    await self._handle(message)
                self._heard.set()
        except ConnectionClosed:
            pass
        self._heard.set()

    def _decoded(self, data: bytes) -> hocuspocus.ServerMessage | ywebsocket.ServerMessage | None:
        """None for another document's."""
        if self.dialect is Dialect.Y_WEBSOCKET:
            return ywebsocket.decode_from_server(data)
        frame = hocuspocus.decode_from_server(data)
        if frame.address in ("", self.session):
            return frame.message
        self.others.append((frame.address, frame.message))
        return None

    async def _handle(self, message: hocuspocus.ServerMessage | ywebsocket.ServerMessage) -> None:
        match message:
            case SyncStep1(state_vector):
                self.asked += 1
                await self.send(SyncStep2(self.source.get_update(state_vector)))
            case SyncStep2(update):
                if self.applies:
                    self._apply(update)
                self.synced = True
            case Update(update):
                self.received += 1
                if self.applies:
                    self._apply(update)
                self.on_update(update)
            case hocuspocus.SyncStatus(applied):
                self.saved += applied
                self.refused += not applied
                self.on_saved()
            case hocuspocus.Stateless(payload):
                note = decode_note(payload)
                self.hello = note if isinstance(note, Hello) else self.hello
            case ywebsocket.PermissionDenied(reason) | hocuspocus.CloseDocument(reason):
                self.ended = reason or "closed"
            case AwarenessUpdate(update):
                self.presence.append(update)
            case hocuspocus.Authenticated(scope):
                self.scope = str(scope)
            case hocuspocus.Ping():
                await self.send(hocuspocus.Pong())
            case hocuspocus.Pong():
                self.pongs += 1

    def _apply(self, update: bytes) -> None:
        self._applying = True
        try:
            self.doc.apply_update(update)
        finally:
            self._applying = False

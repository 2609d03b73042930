"""Devices without sockets: each has a document of its own and speaks frames that are easy to read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pycrdt import Doc, Text

from threadline.actors import Actor, Role
from threadline.document.messages import Author
from threadline.document.session_document import SessionDocument
from threadline.ids import new_entry_id
from threadline.protocol.awareness import AwarenessEntry, decode_awareness, encode_awareness
from threadline.protocol.errors import MalformedFrame
from threadline.protocol.varint import Reader, encode_bytes, encode_uint
from threadline_server.rooms.room import Room

STEP1, STEP2, UPDATE, AWARENESS, SAVED, REFUSED, STATELESS = range(7)
EMPTY = b"\x00\x00"


class PlainEncoder:
    """kind byte, then the body after its length. Counts what it frames. Equal by dialect."""

    def __init__(self, dialect: str = "plain", *, greets: bool = False) -> None:
        self.dialect = dialect
        self.greets = greets
        self.acknowledges = True
        self.framed = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PlainEncoder) and other.dialect == self.dialect

    def __hash__(self) -> int:
        return hash(self.dialect)

    def _frame(self, kind: int, body: bytes) -> bytes:
        self.framed += 1
        return bytes((kind,)) + encode_bytes(body)

    def step1(self, state_vector: bytes, /) -> bytes:
        return self._frame(STEP1, state_vector)

    def step2(self, update: bytes, /) -> bytes:
        return self._frame(STEP2, update)

    def update(self, update: bytes, /) -> bytes:
        return self._frame(UPDATE, update)

    def step2_head(self, size: int, /) -> bytes:
        return bytes((STEP2,)) + encode_uint(size)

    def update_head(self, size: int, /) -> bytes:
        return bytes((UPDATE,)) + encode_uint(size)

    def awareness(self, entries: bytes, /) -> bytes:
        return self._frame(AWARENESS, entries)

    def saved(self, count: int, /) -> bytes:
        return self._frame(SAVED, b"") * count

    def refused(self) -> bytes:
        return self._frame(REFUSED, b"")

    def stateless(self, payload: str, /) -> bytes:
        return self._frame(STATELESS, payload.encode())


def frames_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    reader = Reader(data)
    while reader.remaining:
        yield reader.read_byte(), reader.read_bytes(1 << 30)


class Device:
    """writes:    each write of the room, as its frames
    saved:     acknowledgements that came
    unsaved:   messages sent that were not acknowledged, as a Hocuspocus provider counts them
    closed:    (code, reason) when the room ended it
    """

    def __init__(
        self,
        user: str = "ada",
        *,
        role: Role = Role.EDITOR,
        encoder: PlainEncoder | None = None,
        client_id: int | None = None,
        device: str = "phone",
    ) -> None:
        self.actor = Actor(user, role, device, user.title())
        self.encoder = encoder or PlainEncoder()
        self.congested = False
        self.held = False
        self.writes: list[list[tuple[int, bytes]]] = []
        self.saved = 0
        self.unsaved = 0
        self.closed: tuple[int, str] | None = None
        self.present: dict[int, AwarenessEntry] = {}
        self.room: Room | None = None
        self.replies = True
        self.doc: Doc[Any] = Doc(client_id=client_id)
        self.session = SessionDocument(self.doc)
        self._known = self.doc.get_state()
        self._clock = 0
        self._begun = b""

    # what the room calls

    def write(self, data: bytes, /) -> None:
        assert self.closed is None, "nothing is written after the end"
        data = self._begun + data
        try:
            frames = list(frames_of(data))
        except MalformedFrame:  # it goes on with the next write
            self._begun = data
            return
        self._begun = b""
        self.writes.append(frames)
        for kind, body in frames:
            self._receive(kind, body)

    def hold(self, held: bool, /) -> None:
        self.held = held

    def close_document(self, code: int, reason: str, /) -> None:
        self.closed = (code, reason)
        self.room = None

    def _receive(self, kind: int, body: bytes) -> None:
        if kind == STEP1 and self.replies:
            self.send(self.doc.get_update(body), whole=True, counted=False)
        elif kind in (STEP2, UPDATE):
            self._apply(body)
        elif kind == AWARENESS:
            self._note_presence(body)
        elif kind == SAVED:
            self.saved += 1
            self.unsaved -= 1

    def _apply(self, update: bytes) -> None:
        level = self.doc.get_state() == self._known
        self.doc.apply_update(update)
        if level:
            self._known = self.doc.get_state()

    def _note_presence(self, body: bytes) -> None:
        for entry in decode_awareness(body):
            known = self.present.get(entry.client)
            if known is None or entry.clock > known.clock or entry.state is None:
                self.present[entry.client] = entry

    # what a person does

    def join(self, room: Room) -> Device:
        """Connect and say what this device has, as a provider does."""
        self.room = room
        self.closed = None
        room.join(self)
        self.sync()
        return self

    def sync(self) -> None:
        assert self.room is not None
        self.unsaved = 1
        self.room.receive_step1(self, self.doc.get_state())

    def leave(self) -> None:
        if self.room is not None:
            self.room.leave(self)
            self.room = None

    def send(self, update: bytes, *, whole: bool = False, counted: bool = True) -> None:
        if self.room is not None:
            self.unsaved += counted
            self.room.receive_update(self, update, whole=whole)

    def flush(self) -> bytes:
        """Send what was written since the last time; gives it back."""
        update = self.doc.get_update(self._known)
        self._known = self.doc.get_state()
        if update != EMPTY:
            self.send(update)
        return update

    def say(self, text: str) -> str:
        """Write a message and send it; gives back its id."""
        message = self.write_message(text)
        self.flush()
        return message

    def write_message(self, text: str) -> str:
        message = self.new_id()
        author = Author(self.actor.user, self.actor.device, self.actor.name)
        self.session.messages.create(message, role="user", author=author, created_at=1, text=text)
        return message

    def new_id(self) -> str:
        return new_entry_id(self.actor.user)

    def announce(self, **state: Any) -> None:
        assert self.room is not None
        self._clock += 1
        entry = AwarenessEntry(self.doc.client_id, self._clock, state)
        self.room.receive_awareness(self, encode_awareness([entry]))

    # what a test asks

    @property
    def pad(self) -> Text:
        """A text in a root outside the schema, which all who may edit share."""
        pad: Text = self.doc.get("pad", type=Text)
        return pad

    @property
    def pad_text(self) -> str:
        return str(self.pad)

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.session.messages]

    def frames(self, kind: int) -> list[bytes]:
        return [body for write in self.writes for found, body in write if found == kind]

    def users_present(self) -> list[str]:
        states = [entry.state for entry in self.present.values() if entry.state is not None]
        return sorted(str(state["user"]) for state in states)


def as_json(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def assert_converged(*devices: Device) -> None:
    digests = {device.session.digest() for device in devices}
    assert len(digests) == 1

"""One document of one socket, as its room sees it: a member.

The dialects decide how frames look; what the messages do is the same and is here.
"""

from __future__ import annotations

from collections.abc import Callable

from threadline.actors import Actor, Role
from threadline.protocol.sync import SyncMessage, SyncStep1, SyncStep2, Update
from threadline.protocol.ywebsocket import AwarenessUpdate, QueryAwareness
from threadline_server.backplane.base import SessionRecord
from threadline_server.edge.admission import Pass
from threadline_server.edge.authentication import Principal
from threadline_server.edge.connection import Connection
from threadline_server.edge.occupancy import Occupancy
from threadline_server.rooms.member import Encoder
from threadline_server.rooms.room import Room


def plain_bytes(frame: bytes, start: int) -> bytes | None:
    """The byte string at `start` when it is short, written canonically, and ends the frame; None otherwise.

    The quick look before the strict reader, which says what is wrong, or reads what is long.
    """
    size = len(frame) - start
    if size < 1:
        return None
    low = frame[start]
    if low < 0x80:
        return frame[start + 1 :] if low == size - 1 else None
    if size < 0x82:
        return None
    high = frame[start + 1]
    if high < 0x80 and (high << 7 | low & 0x7F) == size - 2:
        return frame[start + 2 :]
    return None


class DocumentChannel:
    """A `Member` of `room` from `enter` until `leave`; `room` is None before and after.

    `write` is the connection's own: the fan-out calls it for every member of every turn.
    """

    __slots__ = (
        "_asked",
        "_connection",
        "actor",
        "congested",
        "encoder",
        "principal",
        "room",
        "token_wanted",
        "users",
        "write",
    )

    def __init__(self, connection: Connection, encoder: Encoder) -> None:
        self._connection = connection
        self._asked: bytes | None = None
        self.encoder = encoder
        self.room: Room | None = None
        self.actor: Actor
        self.principal: Principal
        self.token_wanted = False
        self.users: Occupancy | None = None
        self.congested = connection.congested
        self.write: Callable[[bytes], None] = connection.write

    def enter(self, room: Room, admitted: Pass, users: Occupancy) -> None:
        """Raises Dismissed where its user has too many documents open, of which `users` keeps count."""
        users.enter(admitted.actor.user)
        self.users = users
        self.actor = admitted.actor
        self.principal = admitted.principal
        self.room = room
        self._connection.belong_to(admitted.actor.user)
        room.join(self)

    def leave(self) -> None:
        """Idempotent."""
        users, self.users = self.users, None
        if users is not None:
            users.leave(self.actor.user)
        room, self.room = self.room, None
        if room is not None:
            room.leave(self)

    def regrant(self, role: Role, record: SessionRecord) -> None:
        """Its user has another role in the session of `record` from now on."""
        self.actor = Actor(self.actor.user, role, self.actor.device, self.actor.name)

    def want_token(self) -> None:
        """Ask for a fresh token, once for each; a dialect that cannot ask lets the old one run out."""
        self.token_wanted = True

    def hold(self, held: bool) -> None:
        self._connection.hold(held)

    def close_document(self, code: int, reason: str) -> None:
        """The room has let go of this member and wants the device to know why."""
        raise NotImplementedError

    def congest(self, congested: bool) -> None:
        self.congested = congested
        if congested or self.room is None:
            return
        self.room.drained(self)
        asked, self._asked = self._asked, None
        if asked is not None and self.room is not None:
            self.room.receive_step1(self, asked)

    def handle(self, room: Room, message: SyncMessage | AwarenessUpdate | QueryAwareness) -> None:
        match message:
            case Update(update):
                room.receive_update(self, update, whole=False)
            case SyncStep2(update):
                room.receive_update(self, update, whole=True)
            case SyncStep1(state_vector):
                self._answer_step1(room, state_vector)
            case AwarenessUpdate(entries):
                room.receive_awareness(self, entries)
            case QueryAwareness():
                if not self.congested:  # it gets everyone's when it drains
                    room.receive_awareness_query(self)

    def _answer_step1(self, room: Room, state_vector: bytes) -> None:
        """A device that does not read is answered once, when it does."""
        if self.congested:
            self._asked = state_vector
        else:
            room.receive_step1(self, state_vector)

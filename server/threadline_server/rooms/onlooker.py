"""A witness that only reads: it has no replica of its own, and looks at the room's when something changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pycrdt import Doc

from threadline.actors import Actor
from threadline.changed import Changed
from threadline.protocol.close_codes import CloseCode
from threadline_server.rooms.contributor import Witness
from threadline_server.rooms.room import Room


class Onlooker(Witness):
    """changes:  notified after every turn and at the end
    ended:    why there is nothing more to see, None while there may be
    """

    __slots__ = ("_actor", "_room", "changes", "ended")

    def __init__(self, room: Room, actor: Actor) -> None:
        self._room = room
        self._actor = actor
        self.changes = Changed()
        self.ended: CloseCode | None = None

    @property
    def actor(self) -> Actor:
        return self._actor

    def document(self) -> Doc[Any]:
        """What the log holds now, for reading."""
        return self._room.document()

    def feed(self, updates: Sequence[bytes]) -> None:
        self.changes.notify()

    def acknowledge(self, count: int) -> None:
        """Never called: it writes nothing."""

    def hold(self, held: bool) -> None:
        """Nothing to stop: it writes nothing."""

    def end(self, close: CloseCode, detail: str = "") -> None:
        self.ended = close
        self.changes.notify()


@contextmanager
def looking_on(room: Room, actor: Actor) -> Iterator[Onlooker]:
    """An onlooker for as long as the block lasts; the room stays loaded meanwhile."""
    onlooker = Onlooker(room, actor)
    room.attach(onlooker)
    try:
        yield onlooker
    finally:
        room.detach(onlooker)

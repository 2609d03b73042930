"""Keys of a session's state whose time is over are removed from the sessions that live on this node.

Readers hide them from the moment they expire; here they leave the document. Two nodes may remove the same
key: a deletion is of what was there, so a value that somebody sets meanwhile stays.
"""

from __future__ import annotations

from collections.abc import Callable

from pycrdt import Map

from threadline.actors import Actor, Role
from threadline.document.state import EXPIRY_MARK, FlatState
from threadline.errors import LimitExceeded, SessionError
from threadline.ids import SERVER_USER, split_document_name
from threadline_server.backplane.base import DocumentName
from threadline_server.rooms.registry import Rooms
from threadline_server.rooms.room import Room
from threadline_server.rooms.turns import Slice

ROOMS_PER_ROUND = 1_000
KEYS_PER_ROOM = 1_000

_MARK = f"/{EXPIRY_MARK}".encode()
_SERVER = Actor(SERVER_USER, Role.SERVER)


class ExpiringKeys:
    """Looks at some of the rooms in each round, a little at a time, and goes on there in the next. A room
    that did not change since it was looked at, and has nothing that expires, is passed over.
    """

    def __init__(self, rooms: Rooms, now_ms: Callable[[], int]) -> None:
        self._rooms = rooms
        self._now_ms = now_ms
        self._waiting: list[DocumentName] = []
        self._without: dict[DocumentName, int] = {}

    async def round(self) -> int:
        """How many keys were removed."""
        if not self._waiting:
            self._waiting = [room.name for room in self._rooms]
            self._without = {name: self._without[name] for name in self._waiting if name in self._without}
        return sum([await self._remove(name, keys) for name, keys in await self._look()])

    async def _look(self) -> list[tuple[DocumentName, list[str]]]:
        found: list[tuple[DocumentName, list[str]]] = []
        slice_ = Slice(self._rooms.host.turns)
        for _ in range(min(ROOMS_PER_ROUND, len(self._waiting))):
            name = self._waiting.pop()
            room = self._rooms.get(name)
            if room is not None and (keys := self._expired(room)):
                found.append((name, keys[:KEYS_PER_ROOM]))
            if slice_.over:
                await slice_.next()
        return found

    def _expired(self, room: Room) -> list[str]:
        if split_document_name(room.name)[1] is not None or self._without.get(room.name) == room.position:
            return []
        if not room.log.gate.may_have_key_with(_MARK):  # which is asked before hundreds of thousands of keys
            return []
        state = FlatState(room.document().get("state", type=Map))
        if not state.has_expiring():
            self._without[room.name] = room.position
            return []
        return state.expired(self._now_ms())

    async def _remove(self, name: DocumentName, keys: list[str]) -> int:
        try:
            async with self._rooms.replica(name, _SERVER) as replica:
                with replica.edit() as doc:
                    state = FlatState(doc.get("state", type=Map))
                    still = set(state.expired(self._now_ms()))  # it may have been set anew since
                    return sum([state.delete(key) for key in keys if key in still])
        except (SessionError, LimitExceeded):
            return 0  # it was deleted, or the node stops

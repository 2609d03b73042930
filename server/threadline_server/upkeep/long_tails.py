"""Logs that a crash left long are given a new base.

A room does that itself when it is put away. One that a killed node held leaves its tail behind, and whoever
opens the session next waits for it. So after its start a process goes once through the sessions that were
active lately, a few in each round, and opens those with a long tail: they are compacted as they are put away.
"""

from __future__ import annotations

from collections.abc import Callable

from threadline.errors import SessionError, StoreError
from threadline.ids import SessionId
from threadline_server.backplane.base import Backplane, DocumentName, SessionQuery, Stored
from threadline_server.rooms.compaction import is_worth_it_at_unload
from threadline_server.rooms.options import RoomOptions
from threadline_server.rooms.registry import Rooms

SESSIONS_PER_ROUND = 20


class LongTails:
    """`since_s`: how long ago a session may have been active to be looked at."""

    def __init__(
        self, backplane: Backplane, rooms: Rooms, *, since_s: float, now_ms: Callable[[], int]
    ) -> None:
        self._backplane = backplane
        self._rooms = rooms
        self._after_ms = now_ms() - int(since_s * 1000)
        self._cursor: str | None = None
        self.through = False

    async def round(self) -> int:
        """How many documents were opened to be compacted."""
        if self.through:
            return 0
        query = SessionQuery(active_after_ms=self._after_ms, limit=SESSIONS_PER_ROUND, cursor=self._cursor)
        page = await self._backplane.list_sessions(query)
        self._cursor, self.through = page.cursor, page.cursor is None
        return sum([await self._look_at(record.id) for record in page.sessions])

    async def _look_at(self, session: SessionId) -> int:
        try:
            names = await self._backplane.list_documents(session)
            return sum([await self._shorten(name) for name in names])
        except SessionError:
            return 0  # gone meanwhile, or set aside
        except StoreError:
            if not self._backplane.healthy:
                raise
            return 0  # this one is damaged; the others are looked at all the same

    async def _shorten(self, name: DocumentName) -> bool:
        if self._rooms.get(name) is not None:
            return False
        stored = await self._backplane.load(name)
        if not _is_long(stored, self._rooms.host.options):
            return False
        await self._rooms.open(name)
        return True


def _is_long(stored: Stored, options: RoomOptions) -> bool:
    size = sum(len(entry.update) for logged in stored.tail for entry in logged.turn.entries)
    return is_worth_it_at_unload(options, len(stored.base or b""), len(stored.tail), size)

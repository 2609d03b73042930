"""Sees to it that whoever loses access loses it at once: live documents and event streams end, on every node.

A change is written into the ledger for a minute, where the other nodes look several times a second; the node
that made it acts at once. Expiry of tokens is seen by the same rounds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import structlog

from threadline.errors import SessionDeleted, SessionNotFound, StoreError
from threadline.ids import COMPANION_MARK, SessionId, split_document_name, uuid7
from threadline.protocol import close_codes
from threadline_server.backplane.base import Backplane, SessionRecord
from threadline_server.edge.access import Access
from threadline_server.edge.document_channel import DocumentChannel
from threadline_server.edge.http.streams import Streams
from threadline_server.edge.revocations import Revocations, Subject
from threadline_server.rooms.registry import Rooms
from threadline_server.rooms.room import Room

KIND = "access_change"
EVERY_S = 0.4
KEPT_MS = 60_000
ASK_BEFORE_S = 30.0
_EVERYBODY = b"*"
_AT_ONCE = 2_000

_log = structlog.get_logger()


class AccessWatch:
    def __init__(
        self,
        backplane: Backplane,
        rooms: Rooms,
        access: Access,
        revocations: Revocations,
        streams: Streams,
        now_s: Callable[[], float],
    ) -> None:
        self._backplane = backplane
        self._rooms = rooms
        self._access = access
        self._revocations = revocations
        self._streams = streams
        self._now_s = now_s
        self._seen: frozenset[str] = frozenset()
        self.ended_total = 0

    async def run(self) -> None:
        """Look for changes until cancelled. A store that is away is waited for; expiry goes on meanwhile."""
        while True:
            try:
                await self._look()
            except StoreError as error:
                _log.warning("changes of access cannot be seen", error=error.message)
            await self._end_expired()
            await asyncio.sleep(EVERY_S)

    async def session_changed(self, session: SessionId) -> None:
        """Members of `session` changed."""
        await self._tell(session.encode())
        await self._recheck(session)

    async def revoke(self, subject: Subject, name: str) -> None:
        """A token, a device or a user is good no more."""
        await self._revocations.add(subject, name)
        await self._tell(_EVERYBODY)
        await self._end_revoked()

    def stats(self) -> dict[str, float]:
        return {"ended_total": self.ended_total}

    async def _tell(self, change: bytes) -> None:
        await self._backplane.swap_value(KIND, uuid7(), None, change, KEPT_MS)

    async def _look(self) -> None:
        changes = await self._backplane.list_values(KIND)
        new = {value for key, value in changes.items() if key not in self._seen}
        self._seen = frozenset(changes)
        if _EVERYBODY in new:
            await self._end_revoked()
        for change in new - {_EVERYBODY}:
            await self._recheck(SessionId(change.decode()))

    async def _recheck(self, session: SessionId) -> None:
        """Give everybody in a session the role that they have now, if any."""
        rooms = [room for room in self._rooms if split_document_name(room.name)[0] == session]
        if not rooms:
            return
        try:
            record = await self._backplane.get_session(session)
        except (SessionNotFound, SessionDeleted):
            return  # the rooms hear of that themselves
        for room in rooms:
            for channel in channels_of(room):
                self._judge(room, channel, record)
        for onlooker, principal in self._streams.of_session(session):
            if self._access.role(record, principal) is None:
                onlooker.end(close_codes.FORBIDDEN)

    def _judge(self, room: Room, channel: DocumentChannel, record: SessionRecord) -> None:
        role = self._access.role(record, channel.principal)
        if role is None:
            self._end(room, channel, close_codes.FORBIDDEN, "your access to this session was taken back")
        elif role is not channel.actor.role and COMPANION_MARK not in room.name:
            channel.regrant(role, record)

    async def _end_revoked(self) -> None:
        await self._revocations.refresh()
        async for room, channel in self._all():
            if self._revocations.is_revoked(channel.principal):
                self._end(room, channel, close_codes.UNAUTHORIZED, "this token was revoked")
        for onlooker, principal in self._streams.watched():
            if self._revocations.is_revoked(principal):
                onlooker.end(close_codes.UNAUTHORIZED)

    async def _end_expired(self) -> None:
        now_s = self._now_s()
        async for room, channel in self._all():
            expires_s = channel.principal.expires_s
            if expires_s is None:
                continue
            if expires_s <= now_s:
                self._end(room, channel, close_codes.UNAUTHORIZED, "this token has expired")
            elif expires_s - now_s < ASK_BEFORE_S and not channel.token_wanted:
                channel.want_token()
        for onlooker, principal in self._streams.watched():
            if principal.expires_s is not None and principal.expires_s <= now_s:
                onlooker.end(close_codes.UNAUTHORIZED)

    async def _all(self) -> AsyncIterator[tuple[Room, DocumentChannel]]:
        """Every live channel with its room; others get their turn in between."""
        seen = 0
        room: Room
        for room in self._rooms:
            for channel in channels_of(room):
                if channel.room is room:
                    yield room, channel
            seen += len(room.seats)
            if seen > _AT_ONCE:
                seen = 0
                await asyncio.sleep(0)

    def _end(self, room: Room, channel: DocumentChannel, close: close_codes.CloseCode, detail: str) -> None:
        seat = room.seats.get(channel)
        if seat is not None:
            self.ended_total += 1
            room.expel(seat, close, detail)


def channels_of(room: Room) -> Iterator[DocumentChannel]:
    """The devices in a room, as they are now."""
    return (member for member in tuple(room.seats) if isinstance(member, DocumentChannel))

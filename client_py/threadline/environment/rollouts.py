"""The rollouts that are open in this process: sessions joined for as long as calls come, then left.

A session that was left is on the server; the next call, here or in another process, joins it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from threadline.client import Client
from threadline.environment.ticket import Ticket
from threadline.errors import SessionDeleted, SessionNotFound
from threadline.live_session import LiveSession
from threadline.update_ranges import read_state_vector

CATCH_UP_S = 10.0


@dataclass(slots=True)
class _Use:
    calls: int = 0
    last_s: float = 0.0


class Rollouts:
    """`linger_s` after its last call a rollout is left, or earlier where `max_open` others are open."""

    def __init__(self, client: Client, *, linger_s: float, max_open: int) -> None:
        self._client = client
        self._linger_s = linger_s
        self._max_open = max_open
        self._in_use = asyncio.Semaphore(max_open)
        self._uses: dict[str, _Use] = {}
        self._sessions: dict[str, LiveSession] = {}
        self._joining: dict[str, asyncio.Lock] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    @asynccontextmanager
    async def begun(self, ticket: Ticket, *, create: bool = True) -> AsyncIterator[LiveSession]:
        """The session of a ticket, with all that its client has seen; what the block did is durable after it.

        Raises SessionNotFound, SessionDeleted, Unreachable, TimeoutError.
        """
        async with self._used(ticket.session):
            session = await self._join(ticket.session, create)
            async with asyncio.timeout(CATCH_UP_S):
                await session.until(lambda: ticket.is_covered_by(_clocks(session)))
            yield session
            await session.saved(CATCH_UP_S)

    async def delete(self, session_id: str) -> None:
        """Delete a rollout's session for good; one that is not there is no error."""
        try:
            await self._client.sessions.delete(session_id)
        except (SessionNotFound, SessionDeleted):
            return

    async def run(self) -> None:
        """Leave what has been idle, until cancelled."""
        while True:
            await asyncio.sleep(self._linger_s / 4)
            await self._leave_idle(0)

    @asynccontextmanager
    async def _used(self, name: str) -> AsyncIterator[None]:
        """While calls are under way a rollout stays open; beyond `max_open`, calls wait."""
        async with self._in_use:
            use = self._uses.setdefault(name, _Use())
            use.calls += 1
            try:
                yield
            finally:
                use.calls -= 1
                use.last_s = _now_s()

    async def _leave_idle(self, room_for: int) -> None:
        idle = [name for name, use in self._uses.items() if use.calls == 0]
        over = len(self._sessions) + room_for - self._max_open
        for place, name in enumerate(sorted(idle, key=lambda name: self._uses[name].last_s)):
            if place < over or _now_s() - self._uses[name].last_s >= self._linger_s:
                del self._uses[name]
                self._leave(name)

    def _leave(self, name: str) -> None:
        session = self._sessions.pop(name, None)
        if session is not None:
            session.leave()

    async def _join(self, session_id: str, create: bool) -> LiveSession:
        lock = self._joining.setdefault(session_id, asyncio.Lock())
        try:
            async with lock:
                return await self._join_alone(session_id, create)
        finally:
            if not lock.locked():
                self._joining.pop(session_id, None)

    async def _join_alone(self, session_id: str, create: bool) -> LiveSession:
        known = self._sessions.get(session_id)
        if known is not None and known.problem is None:
            return known
        self._leave(session_id)
        await self._leave_idle(1)
        session = self._sessions[session_id] = await self._client.open(session_id, create=create)
        return session


def _clocks(session: LiveSession) -> dict[int, int]:
    return read_state_vector(session.document.doc.get_state())


def _now_s() -> float:
    return asyncio.get_running_loop().time()

"""Sessions that nobody used for long enough are deleted, a bounded number per round.

Whoever has a session open without writing in it uses it, too, and only the node where that is knows. So on
several nodes a session that is due is first *announced* in the ledger, for long enough that every node has
had a round in which it could object; then the node that takes the announcement back deletes it.
"""

from __future__ import annotations

from collections.abc import Callable

from threadline.errors import SessionError
from threadline.ids import SessionId
from threadline_server.backplane.base import Backplane, SessionQuery

SESSIONS_PER_ROUND = 100
KIND = "expiring"
IN_USE = b"in use"

InUse = Callable[[SessionId], bool]


class Expiry:
    """`in_use` tells sessions that a device has open here; those are left alone however old they look.

    announce_s: how long other nodes have to object; 0 where there are none
    """

    def __init__(
        self,
        backplane: Backplane,
        *,
        after_s: float,
        now_ms: Callable[[], int],
        in_use: InUse,
        announce_s: float = 0.0,
    ) -> None:
        self._backplane = backplane
        self._after_ms = int(after_s * 1000)
        self._announce_ms = int(announce_s * 1000)
        self._now_ms = now_ms
        self._in_use = in_use
        self._cursor: str | None = None
        self.expired = 0

    async def round(self) -> int:
        """Delete what is due; gives back how many sessions that were."""
        if self._announce_ms:
            await self.object()
        due = SessionQuery(
            active_before_ms=self._now_ms() - self._after_ms, limit=SESSIONS_PER_ROUND, cursor=self._cursor
        )
        page = await self._backplane.list_sessions(due)
        self._cursor = page.cursor  # sessions in use stay in the list, and must not hide those behind them
        gone = sum([await self._expire(record.id) for record in page.sessions])
        self.expired += gone
        return gone

    async def object(self) -> None:
        """Say of what others announced that it is in use here."""
        for name, mark in (await self._backplane.list_values(KIND)).items():
            if mark != IN_USE and self._in_use(SessionId(name)):
                await self._backplane.swap_value(KIND, name, mark, IN_USE, self._after_ms)

    async def _expire(self, session: SessionId) -> bool:
        if self._in_use(session) or not await self._may_go(session) or not await self._is_idle(session):
            return False
        await self._backplane.delete_session(session)
        return True

    async def _may_go(self, session: SessionId) -> bool:
        if not self._announce_ms:
            return True
        now_ms = self._now_ms()
        mark = await self._backplane.get_value(KIND, session)
        if mark is None:
            said = str(now_ms).encode()
            await self._backplane.swap_value(KIND, session, None, said, 10 * self._announce_ms)
            return False
        if mark == IN_USE or now_ms < int(mark) + self._announce_ms:
            return False
        return await self._backplane.swap_value(KIND, session, mark, None)

    async def _is_idle(self, session: SessionId) -> bool:
        """Still: the list may be older than what somebody wrote just now."""
        try:
            record = await self._backplane.get_session(session)
        except SessionError:
            return False
        return record.active_ms <= self._now_ms() - self._after_ms

"""Sessions that nobody used for long enough are deleted, a bounded number per round."""

from __future__ import annotations

from collections.abc import Callable

from threadline.ids import SessionId
from threadline_server.backplane.base import Backplane, SessionQuery

SESSIONS_PER_ROUND = 100

InUse = Callable[[SessionId], bool]


class Expiry:
    """`in_use` tells sessions that a device has open here; those are left alone however old they look."""

    def __init__(
        self, backplane: Backplane, *, after_s: float, now_ms: Callable[[], int], in_use: InUse
    ) -> None:
        self._backplane = backplane
        self._after_ms = int(after_s * 1000)
        self._now_ms = now_ms
        self._in_use = in_use
        self._cursor: str | None = None
        self.expired = 0

    async def round(self) -> int:
        """Delete what is due; gives back how many sessions that were."""
        before_ms = self._now_ms() - self._after_ms
        due = SessionQuery(active_before_ms=before_ms, limit=SESSIONS_PER_ROUND, cursor=self._cursor)
        page = await self._backplane.list_sessions(due)
        self._cursor = page.cursor  # sessions in use stay in the list, and must not hide those behind them
        idle = [record.id for record in page.sessions if not self._in_use(record.id)]
        for session in idle:
            await self._backplane.delete_session(session)
        self.expired += len(idle)
        return len(idle)

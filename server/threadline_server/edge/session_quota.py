"""How many sessions somebody may own. Counted in the catalogue, and remembered for a minute."""

from __future__ import annotations

from collections.abc import Callable

from threadline.errors import LimitExceeded
from threadline_server.backplane.base import Backplane, SessionQuery

PAGE = 200
REMEMBERED_S = 60.0
MAX_REMEMBERED = 10_000


class SessionQuota:
    """A `most` of 0 allows any number."""

    def __init__(self, backplane: Backplane, most: int, now_s: Callable[[], float]) -> None:
        self._backplane = backplane
        self._most = most
        self._now_s = now_s
        self._known: dict[str, tuple[int, float]] = {}
        self.refused_total = 0

    async def take(self, user: str) -> None:
        """One more session of `user` is about to be made. Raises LimitExceeded."""
        if not self._most:
            return
        count, since_s = self._known.get(user, (0, -REMEMBERED_S))
        if self._now_s() - since_s >= REMEMBERED_S:
            count, since_s = await self._count(user), self._now_s()
        if count >= self._most:
            self.refused_total += 1
            raise LimitExceeded(f"You own {self._most} sessions, the most there may be; delete some first.")
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known[user] = (count + 1, since_s)

    def stats(self) -> dict[str, float]:
        return {"sessions_refused_total": self.refused_total}

    async def _count(self, user: str) -> int:
        """Up to the limit, and not beyond."""
        count, cursor = 0, None
        while count < self._most:
            page = await self._backplane.list_sessions(
                SessionQuery(visible_to=user, limit=PAGE, cursor=cursor)
            )
            count += sum(record.owner == user for record in page.sessions)
            cursor = page.cursor
            if cursor is None:
                break
        return count

"""Notices that are not delivered yet, kept in the store, so that a restart loses none and no two processes
send the same at once.

A notice lies under its id with the time before which nobody is to try it. Whoever sends it first moves that
time on, by a compare-and-set: so it is theirs until then, and if they are lost it is somebody's again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from threadline_server.backplane.base import Backplane

KIND = "notices"
KEPT_S = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Notice:
    """`tries` were made; the next is not due before `due_s` (Unix seconds)."""

    id: str
    body: str
    tries: int = 0
    due_s: float = 0.0

    def to_bytes(self) -> bytes:
        return json.dumps([self.body, self.tries, self.due_s]).encode()

    @classmethod
    def from_bytes(cls, notice_id: str, data: bytes) -> Notice:
        body, tries, due_s = json.loads(data)
        return cls(notice_id, body, tries, due_s)


class Outbox:
    """Every method raises StoreError while the store is away."""

    def __init__(self, backplane: Backplane, now_s: Callable[[], float]) -> None:
        self._backplane = backplane
        self._now_s = now_s

    async def put(self, notice: Notice) -> None:
        """Keep a new notice; at most for a week, whatever becomes of it."""
        await self._backplane.swap_value(KIND, notice.id, None, notice.to_bytes(), round(KEPT_S * 1000))

    async def claim(self, notice: Notice, for_s: float) -> Notice | None:
        """The notice with one more try, to be made within `for_s`; None where somebody else makes it."""
        claimed = replace(notice, tries=notice.tries + 1, due_s=self._now_s() + for_s)
        return claimed if await self._swap(notice, claimed) else None

    async def postpone(self, notice: Notice, for_s: float) -> Notice | None:
        """The claimed notice, due again after `for_s`; None where it is somebody else's meanwhile."""
        later = replace(notice, due_s=self._now_s() + for_s)
        return later if await self._swap(notice, later) else None

    async def remove(self, notice: Notice) -> None:
        """It was taken, or is given up."""
        await self._backplane.swap_value(KIND, notice.id, notice.to_bytes(), None)

    async def due(self) -> list[Notice]:
        """What is to be tried now, the oldest first."""
        stored = await self._backplane.list_values(KIND)
        notices = [Notice.from_bytes(notice_id, data) for notice_id, data in sorted(stored.items())]
        return [notice for notice in notices if notice.due_s <= self._now_s()]

    async def _swap(self, old: Notice, new: Notice) -> bool:
        left_ms = round(KEPT_S * 1000)
        return await self._backplane.swap_value(KIND, old.id, old.to_bytes(), new.to_bytes(), left_ms)

"""Session leases of one process. They live in memory: whoever held one ends with the process.

Tokens grow across restarts, since the number of the start stands in their high bits. Times are those of a
clock that nobody sets.
"""

from __future__ import annotations

from collections.abc import Callable

from threadline.ids import SessionId
from threadline_server.backplane.base import Fence, Lease, StaleFence

_START_SHIFT = 40
_KEPT = 10_000
_KEPT_MS = 3_600_000


class Leases:
    def __init__(self, start: int, now_ms: Callable[[], int]) -> None:
        self._token = start << _START_SHIFT
        self._now_ms = now_ms
        self._leases: dict[SessionId, Lease] = {}

    def acquire(self, session: SessionId, holder: str, ttl_ms: int) -> Lease | None:
        """A new lease, also for its present holder; None while another's lasts."""
        now = self._now_ms()
        there = self._leases.get(session)
        if there is not None and there.expires_ms > now and there.holder != holder:
            return None
        self._forget_old(now)
        self._token += 1
        lease = Lease(Fence(session, self._token), holder, now + ttl_ms)
        self._leases[session] = lease
        return lease

    def _forget_old(self, now: int) -> None:
        if len(self._leases) > _KEPT:
            self._leases = {s: at for s, at in self._leases.items() if at.expires_ms > now - _KEPT_MS}

    def renew(self, lease: Lease, ttl_ms: int) -> Lease | None:
        """None when another lease was given since, or this one was let go."""
        session = lease.fence.session
        there = self._leases.get(session)
        if there is None or there.fence.token != lease.fence.token or there.expires_ms == 0:
            return None
        renewed = Lease(there.fence, there.holder, self._now_ms() + ttl_ms)
        self._leases[session] = renewed
        return renewed

    def release(self, lease: Lease) -> None:
        """Let another have it at once; its token stays the newest, so what it still writes is in order."""
        session = lease.fence.session
        there = self._leases.get(session)
        if there is not None and there.fence.token == lease.fence.token:
            self._leases[session] = Lease(there.fence, there.holder, 0)

    def drop(self, session: SessionId) -> None:
        self._leases.pop(session, None)

    def check(self, fence: Fence | None) -> StaleFence | None:
        """Why what was written under `fence` comes too late."""
        if fence is None:
            return None
        there = self._leases.get(fence.session)
        if there is None or there.fence.token <= fence.token:
            return None
        return StaleFence(f"The lease of session {fence.session} was given to {there.holder}.")

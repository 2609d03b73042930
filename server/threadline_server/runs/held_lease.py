"""A session's lease while it is held: renewed until it is let go, and known to be lost when it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from threadline.errors import StoreError
from threadline.ids import SessionId
from threadline_server.backplane.base import Backplane, Fence, Lease

RELEASE_WAIT_S = 2.0


class LeaseLost(StoreError):
    """Another worker may have the session by now; whoever held it must stop."""

    code = "lease_lost"


@asynccontextmanager
async def held_lease(
    backplane: Backplane, session: SessionId, holder: str, ttl_s: float
) -> AsyncIterator[Fence | None]:
    """The fence of the lease, or None while another holds it. The block is cancelled, with LeaseLost, on
    loss.
    """
    ttl_ms = int(ttl_s * 1000)
    lease = await backplane.acquire_lease(session, holder, ttl_ms)
    if lease is None:
        yield None
        return
    try:
        async with asyncio.TaskGroup() as tasks:
            renewing = tasks.create_task(_renew(backplane, lease, ttl_ms))
            yield lease.fence
            renewing.cancel()
    finally:
        with anyio.move_on_after(RELEASE_WAIT_S, shield=True):
            await _release(backplane, lease)


async def _renew(backplane: Backplane, lease: Lease, ttl_ms: int) -> None:
    """Until cancelled. A store that is away is asked again until the lease has run out, by a steady clock."""
    now_s = asyncio.get_running_loop().time
    expires_s = now_s() + ttl_ms / 1000
    while True:
        await asyncio.sleep(ttl_ms / 3000)
        asked_s = now_s()
        try:
            renewed = await backplane.renew_lease(lease, ttl_ms)
        except StoreError:
            if now_s() < expires_s:
                continue
            renewed = None
        if renewed is None:
            raise LeaseLost(f"The lease of {lease.fence.session} was lost.")
        lease, expires_s = renewed, asked_s + ttl_ms / 1000


async def _release(backplane: Backplane, lease: Lease) -> None:
    """Best effort: it runs out by itself."""
    try:
        await backplane.release_lease(lease)
    except StoreError:
        return

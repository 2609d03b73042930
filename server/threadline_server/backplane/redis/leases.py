"""Leases, fences and decisions, each in its session's slot, by Redis's own clock."""

from __future__ import annotations

import asyncio

from threadline.ids import SessionId
from threadline_server.backplane.base import Fence, Lease, StaleFence
from threadline_server.backplane.redis.documents import raise_missing
from threadline_server.backplane.redis.keys import session_keys
from threadline_server.backplane.redis.links import Links
from threadline_server.backplane.redis.scripts import Script


class Leases:
    def __init__(self, links: Links) -> None:
        self._links = links

    async def acquire(self, session: SessionId, holder: str, ttl_ms: int) -> Lease | None:
        keys = session_keys(session)
        granted = await self._links.run_script(keys.slot, Script.ACQUIRE, (keys.session,), holder, ttl_ms)
        if granted is None:
            return None
        token, expires_ms = granted
        return Lease(Fence(session, token), holder, expires_ms)

    async def renew(self, lease: Lease, ttl_ms: int) -> Lease | None:
        expires_ms = await self._extend(lease, max(ttl_ms, 1))
        return None if expires_ms is None else Lease(lease.fence, lease.holder, expires_ms)

    async def release(self, lease: Lease) -> None:
        await self._extend(lease, 0)

    async def _extend(self, lease: Lease, ttl_ms: int) -> int | None:
        keys = session_keys(lease.fence.session)
        arguments = (lease.fence.token, ttl_ms)
        reply = await self._links.run_script(keys.slot, Script.RENEW, (keys.session,), *arguments)
        return None if reply is None else int(reply)

    async def decide(self, session: SessionId, name: str, value: str, fence: Fence | None) -> str:
        """The first value. Raises StaleFence, SessionNotFound, SessionDeleted."""
        keys = session_keys(session)
        arguments = (name, value, "" if fence is None else fence.token)
        reply = await self._links.run_script(
            keys.slot, Script.DECIDE, (keys.session, keys.decisions), *arguments
        )
        if isinstance(reply, bytes):
            return reply.decode()
        if reply[0] == b"fence":
            raise StaleFence(f"The lease of session {session} was given to another.")
        raise_missing(keys, b"" if reply[0] == b"deleted" else None)
        raise AssertionError

    async def decisions(self, session: SessionId) -> dict[str, str]:
        """Raises SessionNotFound, SessionDeleted."""
        keys = session_keys(session)
        call, slot = self._links.call, keys.slot
        (lineage, deleted), flat = await asyncio.gather(
            call(slot, "HMGET", keys.session, "lineage", "deleted"), call(slot, "HGETALL", keys.decisions)
        )
        if lineage is None:
            raise_missing(keys, deleted)
        return {name.decode(): value.decode() for name, value in zip(flat[::2], flat[1::2], strict=True)}

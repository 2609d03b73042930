"""Blobs of sessions: in the object store, or in Redis where there is none."""

from __future__ import annotations

from threadline.ids import SessionId
from threadline_server.backplane.base import BlobNotFound
from threadline_server.backplane.objects import Objects, blob_key, session_prefix
from threadline_server.backplane.redis.keys import session_keys
from threadline_server.backplane.redis.links import Links


class Blobs:
    def __init__(self, links: Links, objects: Objects | None) -> None:
        self._links = links
        self._objects = objects

    async def put(self, session: SessionId, blob: str, data: bytes) -> None:
        if self._objects is not None:
            await self._objects.put(blob_key(session, blob), data)
            return
        keys = session_keys(session)
        await self._links.call(keys.slot, "HSET", keys.blobs, blob, data)

    async def get(self, session: SessionId, blob: str) -> bytes:
        """Raises BlobNotFound."""
        keys = session_keys(session)
        if self._objects is not None:
            data = await self._objects.get(blob_key(session, blob))
        else:
            data = await self._links.call(keys.slot, "HGET", keys.blobs, blob)
        if data is None:
            raise BlobNotFound(f"Session {session} has no blob {blob}.")
        return data

    async def delete_all(self, session: SessionId) -> None:
        """What Redis has goes with the session's keys."""
        if self._objects is not None:
            await self._objects.delete_under(session_prefix(session))

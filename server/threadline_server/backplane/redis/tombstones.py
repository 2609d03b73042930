"""Finding what was deleted: nothing lists it, so every key of every primary is looked at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from threadline.errors import StoreError
from threadline.ids import SessionId
from threadline_server.backplane.redis.keys import session_keys
from threadline_server.backplane.redis.link import Link, RedisAway, RedisRefused
from threadline_server.backplane.redis.links import Links

KEYS_AT_ONCE = 1_000
_PATTERN = session_keys(SessionId("?*")).session
_BEGIN, _END = (part.encode() for part in _PATTERN.split("?*"))


async def find_tombstones(links: Links) -> AsyncIterator[tuple[SessionId, str]]:
    """Deleted sessions with their lineages. Raises StoreError."""
    for link in links.all:
        cursor = b"0"
        while True:
            try:
                cursor, found = await _some(link, cursor)
            except (RedisAway, RedisRefused) as error:
                raise StoreError(f"Redis could not be read: {error}") from error
            for session, lineage in found:
                yield session, lineage
            if cursor == b"0":
                break


async def _some(link: Link, cursor: bytes) -> tuple[bytes, list[tuple[SessionId, str]]]:
    """Where to go on, and the tombstones among some keys."""
    arguments = ("MATCH", _PATTERN, "COUNT", KEYS_AT_ONCE)
    cursor, keys = await link.call("SCAN", cursor, *arguments)
    lineages = await asyncio.gather(*(link.call("HGET", key, "deleted") for key in keys))
    return cursor, [
        (_session_of(key), lineage.decode())
        for key, lineage in zip(keys, lineages, strict=True)
        if lineage is not None
    ]


def _session_of(key: bytes) -> SessionId:
    return SessionId(key[len(_BEGIN) : -len(_END)].decode())

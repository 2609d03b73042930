"""The cold tier: documents of idle sessions move whole into an object store and come back with the next load.

What Redis keeps of such a session is its record, its places in the index and, per document, the name of the
object. The object is written before Redis lets go, and stays after the document came back until it is moved
out again: a Redis that forgets its last second finds it there.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from threadline.errors import StoreError
from threadline.ids import SessionId
from threadline_server.backplane.base import DocumentName
from threadline_server.backplane.objects import Objects, cold_key
from threadline_server.backplane.redis.keys import (
    INDEX,
    DocumentKeys,
    IndexPart,
    document_keys,
    index_part_of,
    member_of,
    session_keys,
    session_of,
)
from threadline_server.backplane.redis.links import Links
from threadline_server.backplane.redis.scripts import Script
from threadline_server.backplane.turn_bytes import decode_parts, encode_parts

AT_ONCE = 16
_COLD = "cold:"


@dataclass(frozen=True, slots=True)
class _Whole:
    """A document as it stands in Redis: fields of its hash, base, index, entries after the base."""

    fields: dict[bytes, bytes]
    base: bytes
    index: bytes
    entries: list[tuple[bytes, bytes]]

    def number(self, name: bytes) -> int:
        return int(self.fields.get(name, b"0"))

    def encode(self) -> bytes:
        fields = [part for pair in self.fields.items() for part in pair]
        entries = [part for pair in self.entries for part in pair]
        return encode_parts([self.base, self.index, b"%d" % len(self.fields), *fields, *entries])


class ColdTier:
    def __init__(self, links: Links, objects: Objects, now_ms: Callable[[], int]) -> None:
        self._links = links
        self._objects = objects
        self._now_ms = now_ms

    async def cool_idle(self, idle_before_ms: int, limit: int) -> int:
        """Move out sessions without a turn since a time, the longest idle first; how many went.

        Raises StoreError.
        """
        cooled = 0
        for part in INDEX:
            if cooled >= limit:
                break
            arguments = (part.warm, "-inf", f"({idle_before_ms}", "LIMIT", 0, limit - cooled)
            names = await self._links.call(part.slot, "ZRANGEBYSCORE", *arguments)
            for first in range(0, len(names), AT_ONCE):
                some = names[first : first + AT_ONCE]
                moves = (self._move_out(part, name, idle_before_ms) for name in some)
                cooled += sum(_results(await asyncio.gather(*moves, return_exceptions=True)))
        return cooled

    async def _move_out(self, part: IndexPart, name: bytes, idle_before_ms: int) -> bool:
        """Whether a session of this part of the index went."""
        moved = await self.cool(session_of(name), idle_before_ms)
        if moved is None:
            return False
        await self._links.call(part.slot, "ZREM", part.warm, name)
        return moved > 0

    async def cool(self, session: SessionId, idle_before_ms: int) -> int | None:
        """Move every document of a session out; how many went, None when it is in use after all."""
        keys = session_keys(session)
        names = await self._links.call(keys.slot, "SMEMBERS", keys.documents)
        done = [await self._cool(DocumentName(name.decode()), idle_before_ms) for name in names]
        return len(done) if all(done) else None

    async def _cool(self, document: DocumentName, idle_before_ms: int) -> bool:
        keys = document_keys(document)
        whole = await self._read(keys)
        if whole is None:
            return False
        name = f"{whole.number(b'p')}-{secrets.token_hex(6)}"
        key = cold_key(keys.of.id, document, name)
        await self._objects.put(key, whole.encode())
        generation = whole.number(b"g")
        done = await self._links.run_script(
            keys.of.slot,
            Script.COOL,
            (keys.of.session, keys.head, keys.log, keys.base(generation), keys.of.documents),
            *(document, whole.number(b"p"), whole.number(b"b"), generation, name, idle_before_ms),
        )
        before = whole.fields.get(b"o")
        if not done:
            await self._objects.delete(key)
        elif before is not None:
            await self._objects.delete(cold_key(keys.of.id, document, before.decode()))
        return bool(done)

    async def _read(self, keys: DocumentKeys) -> _Whole | None:
        call, slot = self._links.call, keys.of.slot
        flat, entries = await asyncio.gather(
            call(slot, "HGETALL", keys.head), call(slot, "XRANGE", keys.log, "-", "+")
        )
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
        if not fields:
            return None
        through, generation = int(fields.get(b"b", 0)), int(fields.get(b"g", 0))
        base, index = b"", b""
        if generation:
            base, index = await call(slot, "HMGET", keys.base(generation), "base", "index")
            if base is None:
                return None
        kept = [(entry_id, turn) for entry_id, (_, turn) in entries if _position(entry_id) > through]
        return _Whole(fields, base, index, kept)

    async def warm(self, document: DocumentName) -> bool:
        """Put a document back; False when it is not in the cold tier. Raises StoreError."""
        keys = document_keys(document)
        while True:
            name = await self._name(keys)
            if name is None:
                return False
            data = await self._objects.get(cold_key(keys.of.id, document, name.decode()))
            if data is not None:
                await self._put_back(document, keys, name, data)
                return True
            if await self._name(keys) == name:  # else it came back and went again meanwhile
                raise StoreError(f"The object store does not have {document}, which was moved there.")

    async def _name(self, keys: DocumentKeys) -> bytes | None:
        """Of the object that has a document now."""
        name: bytes | None = await self._links.call(keys.of.slot, "HGET", keys.of.session, keys.cold)
        return name

    async def _put_back(self, document: DocumentName, keys: DocumentKeys, name: bytes, data: bytes) -> None:
        base, index, count, *rest = decode_parts(data)
        pairs = list(zip(rest[::2], rest[1::2], strict=True))
        fields = dict(pairs[: int(count)]) | {b"o": name}
        entries = [part for pair in pairs[int(count) :] for part in pair]
        flat = [part for pair in fields.items() for part in pair]
        generation = int(fields.get(b"g", b"0"))
        await self._links.run_script(
            keys.of.slot,
            Script.WARM,
            (keys.of.session, keys.head, keys.log, keys.base(generation), keys.of.documents),
            *(document, name, base, index, len(fields)),
            *flat,
            *entries,
        )
        part = index_part_of(keys.of.id)
        await self._links.call(part.slot, "ZADD", part.warm, "GT", self._now_ms(), member_of(keys.of.id))

    async def documents(self, session: SessionId) -> list[DocumentName]:
        """The session's documents that are in the cold tier."""
        keys = session_keys(session)
        fields = await self._links.call(keys.slot, "HKEYS", keys.session)
        found = (field.decode() for field in fields)
        return [DocumentName(session + field[len(_COLD) :]) for field in found if field.startswith(_COLD)]


def _results(ended: list[bool | BaseException]) -> list[bool]:
    """What each of them gave. Raises what the first that failed raised."""
    for each in ended:
        if isinstance(each, BaseException):
            raise each
    return [each is True for each in ended]


def _position(entry_id: bytes) -> int:
    return int(entry_id.partition(b"-")[0])

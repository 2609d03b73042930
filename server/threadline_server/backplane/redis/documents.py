"""Reading documents, and replacing their bases."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence

from threadline.errors import SessionDeleted, SessionNotFound, StoreError
from threadline_server.backplane.base import (
    Damaged,
    DocumentName,
    LoggedTurn,
    Position,
    Stored,
    WrongLineage,
)
from threadline_server.backplane.damage import checksum, expect, expect_turns
from threadline_server.backplane.redis.keys import DocumentKeys, SessionKeys, document_keys
from threadline_server.backplane.redis.link import Reply
from threadline_server.backplane.redis.links import Links
from threadline_server.backplane.redis.scripts import Script
from threadline_server.backplane.turn_bytes import decode_turn

KEPT_TURNS = 100
LOCK_MS = 60_000
STAGED_MS = 3_600_000
_ATTEMPTS = 10
_LOCK_ATTEMPTS = 200
_LOCK_PAUSE_S = 0.05


Warm = Callable[[DocumentName], Awaitable[bool]]
"""Brings a document back from the cold tier; False when it is not there."""


class Moved(Exception):
    """A compaction came in between, or the document is in the cold tier; read again."""


def decode_entries(
    document: DocumentName, entries: Sequence[tuple[bytes, list[bytes]]]
) -> tuple[LoggedTurn, ...]:
    """Turns of a stream's entries. Raises DamagedTurn."""
    return tuple(
        LoggedTurn(Position(int(entry_id.partition(b"-")[0])), decode_turn(fields[1], document))
        for entry_id, fields in entries
    )


def _check_of(generation: int, kept: bytes | None) -> int | None:
    """The checksum of the base in use; None where a node of an earlier version wrote it."""
    of, _, check = (kept or b"").partition(b" ")
    return int(check) if of == b"%d" % generation else None


def raise_missing(keys: SessionKeys, deleted: bytes | None) -> None:
    """Say why a session has no lineage."""
    if deleted is not None:
        raise SessionDeleted(f"Session {keys.id} was deleted.", session_id=keys.id)
    raise SessionNotFound(f"There is no session {keys.id}.", session_id=keys.id)


class Documents:
    def __init__(self, links: Links, warm: Warm) -> None:
        self._links = links
        self._warm = warm

    async def load(self, document: DocumentName) -> Stored:
        """Raises SessionNotFound, SessionDeleted, Damaged, StoreError."""
        keys = document_keys(document)
        for _ in range(_ATTEMPTS):
            try:
                return await self._load(document, keys)
            except Moved:
                continue
            except ValueError as error:
                raise Damaged(f"What Redis has of {document} is not what was written.") from error
        raise StoreError(f"{document} was moved again and again while it was read.")

    async def _load(self, document: DocumentName, keys: DocumentKeys) -> Stored:
        links, slot = self._links, keys.of.slot
        session, head, entries = await asyncio.gather(
            links.call(slot, "HMGET", keys.of.session, "lineage", "deleted", keys.cold),
            links.call(slot, "HMGET", keys.head, "b", "g", "p", "c"),
            links.call(slot, "XRANGE", keys.log, "-", "+"),
        )
        if session[0] is None:
            raise_missing(keys.of, session[1])
        if session[2] is not None:
            await self._warm(document)
            raise Moved
        through, generation, reached = (int(number or 0) for number in head[:3])
        kept = [entry for entry in entries if int(entry[0].partition(b"-")[0]) > through]
        tail = decode_entries(document, kept)
        if tail and tail[0].position != through + 1:
            raise Moved
        expect_turns(document, Position(through), tail, reached)
        base = index = None
        if generation:
            base, index = await links.call(slot, "HMGET", keys.base(generation), "base", "index")
            if base is None:
                raise Moved
            check = _check_of(generation, head[3])
            expect(document, "The base", check, document, through, base, index or b"")
        return Stored(session[0].decode(), base, index, Position(through), tail)

    async def read(
        self, document: DocumentName, after: Position, limit: int
    ) -> tuple[tuple[LoggedTurn, ...], Position]:
        """Turns after a position that are still there, and the position of the base."""
        keys = document_keys(document)
        entries, base = await asyncio.gather(
            self._links.call(keys.of.slot, "XRANGE", keys.log, f"{after + 1}-0", "+", "COUNT", limit),
            self._links.call(keys.of.slot, "HGET", keys.head, "b"),
        )
        return decode_entries(document, entries), Position(int(base or 0))

    async def compact(
        self, document: DocumentName, lineage: str, parts: tuple[bytes, bytes], through: Position
    ) -> None:
        """Replace the base, one node at a time; nothing happens when another holds the lock for too long.

        Raises WrongLineage, StoreError.
        """
        keys, token = document_keys(document), secrets.token_hex(8)
        slot = keys.of.slot
        if not await self._lock(keys, token):
            return
        old = int(await self._links.call(slot, "HGET", keys.head, "g") or 0)
        new = old + 1 + secrets.randbelow(1 << 20)  # whoever lost the lock stages under another name
        if not await self._stage(keys, token, new, parts):
            return
        done = await self._links.run_script(
            slot,
            Script.REBASE,
            (keys.of.session, keys.head, keys.lock, keys.base(new), keys.base(old), keys.log),
            *(lineage, token, old, new, through, KEPT_TURNS, checksum(document, int(through), *parts)),
        )
        _raise_undone(document, done)

    async def _lock(self, keys: DocumentKeys, token: str) -> bool:
        for _ in range(_LOCK_ATTEMPTS):
            arguments = (keys.lock, token, "NX", "GET", "PX", LOCK_MS)
            holder = await self._links.call(keys.of.slot, "SET", *arguments)
            if holder in (None, token.encode()):  # our own: the reply to an earlier attempt was lost
                return True
            await asyncio.sleep(_LOCK_PAUSE_S)
        return False

    async def _stage(
        self, keys: DocumentKeys, token: str, generation: int, parts: tuple[bytes, bytes]
    ) -> bool:
        """Write a base beside the one in use and read it back; False when the lock was lost."""
        slot, staged = keys.of.slot, keys.base(generation)
        arguments = (token, generation, *parts, STAGED_MS)
        if not await self._links.run_script(slot, Script.STAGE, (keys.head, keys.lock, staged), *arguments):
            return False
        there: Reply = await self._links.call(slot, "HMGET", staged, "base", "index")
        if tuple(there) != parts:
            raise StoreError("Redis gave back another base than it was given; the log is kept.")
        return True


def _raise_undone(document: DocumentName, done: bytes) -> None:
    if done == b"lineage":
        raise WrongLineage(f"{document} is not the one this base was made for.")
    if done == b"ahead":
        raise StoreError(f"A base of {document} covers turns that the log does not have.")

"""Sessions' records, each in its session's slot, and the index over them, in parts that lie elsewhere.

A record is written first, its place in the index after it; a node that dies in between leaves a session that
no list shows until its next turn (`touch` finds it missing and puts it there). A list asks every part for its
newest answers and merges them, so its cost depends on the page and on `EXAMINED_PER_PAGE`, not on how many
sessions there are.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from threadline.errors import SessionDeleted, SessionNotFound, StoreError
from threadline.ids import SessionId
from threadline_server.backplane.base import (
    Damaged,
    DocumentName,
    SessionPage,
    SessionQuery,
    SessionRecord,
)
from threadline_server.backplane.damage import checksum, expect
from threadline_server.backplane.facets import (
    EXAMINED_PER_PAGE,
    Mark,
    changed,
    facets_asked,
    facets_of,
    matches,
    page_size,
    read_cursor,
    write_cursor,
)
from threadline_server.backplane.redis.documents import raise_missing
from threadline_server.backplane.redis.keys import (
    INDEX,
    IndexPart,
    index_part_of,
    member_of,
    session_keys,
    session_of,
)
from threadline_server.backplane.redis.links import Links
from threadline_server.backplane.redis.scripts import Script

# The marks of this module carry members of the index, byte for byte as characters, so both order them alike.
_NEWEST = Mark((1 << 53) - 1, "")
_MOST_FOUND = 500
_ATTEMPTS = 50
_EMPTY: list[Any] = ["", 0, "", "", "", "", (), {}]


@dataclass(frozen=True, slots=True)
class Versioned:
    record: SessionRecord
    version: int


def _encode(record: SessionRecord) -> str:
    """A row without names, since there may be very many of them; empty fields at its end are left out."""
    fields: list[object] = [
        record.owner,
        record.created_ms,
        record.title,
        record.agent,
        record.status,
        record.parent,
        record.labels,
        record.members,
    ]
    while not fields[-1]:
        fields.pop()
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False)


def _check(record: SessionRecord, row: str) -> int:
    return checksum(record.id, record.lineage, row)


def _decode(
    session: SessionId, lineage: bytes, row: bytes, active: bytes, version: bytes, check: bytes | None
) -> Versioned:
    """Raises Damaged. `check` names the version of the row that it is of; earlier nodes leave it as it is."""
    try:
        of, _, kept = (check or b"").partition(b" ")
        expect(
            DocumentName(session),
            "The record",
            int(kept) if of == version else None,
            *(session, lineage, row),
        )
        return Versioned(_read(session, lineage.decode(), row.decode(), int(active)), int(version))
    except (ValueError, TypeError, AttributeError) as error:  # no row, or no text, or nothing at all
        raise Damaged(f"The record of {session} is not what was written.") from error


def _read(session: SessionId, lineage: str, row: str, active_ms: int) -> SessionRecord:
    fields = json.loads(row)
    owner, created_ms, title, agent, status, parent, labels, members = fields + _EMPTY[len(fields) :]
    return SessionRecord(
        session,
        lineage,
        owner,
        created_ms,
        active_ms,
        title,
        agent,
        status,
        parent,
        tuple(labels),
        dict(members),
    )


class Catalogue:
    def __init__(self, links: Links) -> None:
        self._links = links

    # records

    async def create(self, record: SessionRecord) -> SessionRecord:
        """The record that is there now. Raises SessionDeleted."""
        keys = session_keys(record.id)
        row = _encode(record)
        arguments = (record.lineage, row, record.active_ms, _check(record, row))
        done = await self._links.run_script(keys.slot, Script.CREATE, (keys.session,), *arguments)
        if done == b"deleted":
            raise SessionDeleted(f"Session {record.id} was deleted.", session_id=record.id)
        there = await self._find(record.id)
        await self._index(there)
        return there.record

    async def get(self, session: SessionId) -> SessionRecord:
        """Raises SessionNotFound, SessionDeleted, Damaged."""
        return (await self._find(session)).record

    async def _find(self, session: SessionId) -> Versioned:
        keys = session_keys(session)
        names = ("lineage", "record", "active", "version", "c", "deleted")
        lineage, row, active, version, check, deleted = await self._links.call(
            keys.slot, "HMGET", keys.session, *names
        )
        if lineage is None:
            raise_missing(keys, deleted)
        return _decode(session, lineage, row, active, version, check)

    async def update(self, session: SessionId, changes: dict[str, object]) -> SessionRecord:
        """Raises SessionNotFound, SessionDeleted, TypeError."""
        keys = session_keys(session)
        for _ in range(_ATTEMPTS):
            there = await self._find(session)
            record = changed(there.record, changes)
            active: int | str = record.active_ms if "active_ms" in changes else ""
            row = _encode(record)
            arguments = (there.version, row, active, _check(record, row))
            version = await self._links.run_script(keys.slot, Script.UPDATE, (keys.session,), *arguments)
            if version:
                await self._index(Versioned(record, version))
                return record
        raise StoreError(f"The record of {session} changed again and again while it was changed here.")

    async def bury(self, session: SessionId) -> None:
        """Everything of the session goes, in its slot at once; then its place in the index."""
        keys = session_keys(session)
        all_keys = (keys.session, keys.documents, keys.decisions, keys.blobs)
        await self._links.run_script(keys.slot, Script.DELETE, all_keys, keys.channel, keys.prefix)
        await self._unlist(session)

    # the index

    async def _index(self, there: Versioned) -> None:
        part = index_part_of(there.record.id)
        facets = sorted(facets_of(there.record))
        place = (member_of(there.record.id), there.version, there.record.active_ms)
        await self._links.run_script(
            part.slot, Script.INDEX, (part.places, part.warm), part.facets, *place, *facets
        )

    async def _unlist(self, session: SessionId) -> None:
        part = index_part_of(session)
        keys = (part.places, part.warm)
        await self._links.run_script(part.slot, Script.INDEX, keys, part.facets, member_of(session), "", 0)

    async def touch(self, active: Iterable[tuple[SessionId, int]]) -> None:
        """Move sessions up to their last activity."""
        async with asyncio.TaskGroup() as tasks:
            for session, active_ms in active:
                tasks.create_task(self._touch(session, active_ms))

    async def _touch(self, session: SessionId, active_ms: int) -> None:
        part = index_part_of(session)
        arguments = (part.facets, member_of(session), active_ms)
        if not await self._links.run_script(part.slot, Script.TOUCH, (part.places, part.warm), *arguments):
            try:
                await self._index(await self._find(session))
            except (SessionNotFound, SessionDeleted, Damaged):
                return

    # lists

    async def list_page(self, query: SessionQuery) -> SessionPage:
        """One page, newest activity first. Raises BadCursor."""
        mark = read_cursor(query.cursor) or _NEWEST
        if query.active_before_ms is not None:
            mark = min(mark, Mark(query.active_before_ms + 1, ""))
        found: list[SessionRecord] = []
        examined = 0
        size = page_size(query)
        while examined < EXAMINED_PER_PAGE:
            # the index knows no titles, so that most of what it finds may be none of the answers
            wanted = _MOST_FOUND if query.text else min(size - len(found) + 1, _MOST_FOUND)
            marks, end = await self._newest(query, mark, wanted)
            for record, here in zip(await self._records(marks), marks, strict=True):
                if len(found) == size:
                    return SessionPage(tuple(found), write_cursor(mark))
                mark = here
                if record is not None and matches(record, query):
                    found.append(record)
            if end is None:
                return SessionPage(tuple(found), None)
            mark = min(mark, end)
            examined += max(len(marks), len(INDEX))
            if len(found) == size:
                break
        return SessionPage(tuple(found), write_cursor(mark))

    async def _newest(self, query: SessionQuery, mark: Mark, wanted: int) -> tuple[list[Mark], Mark | None]:
        """Answers below `mark`, by the index; and where to go on, None at the end."""
        facets = facets_asked(query)
        lowest = query.active_after_ms or 0
        parts = await asyncio.gather(*(self._newest_of(part, facets, mark, lowest, wanted) for part in INDEX))
        open_ends = [end for _, end in parts if end is not None]
        frontier = max(open_ends) if open_ends else None
        marks = sorted((mark for marks, _ in parts for mark in marks), reverse=True)
        if frontier is not None:
            marks = [mark for mark in marks if mark >= frontier]
        if len(marks) > wanted:
            return marks[:wanted], marks[wanted - 1]
        return marks, frontier

    async def _newest_of(
        self, part: IndexPart, facets: list[str], mark: Mark, lowest: int, wanted: int
    ) -> tuple[list[Mark], Mark | None]:
        keys = tuple(part.facets + facet for facet in facets)
        ended, active, session, *found = await self._links.run_script(
            part.slot,
            Script.FIND,
            keys,
            *(
                mark.active_ms,
                mark.session.encode("latin-1"),
                lowest,
                wanted,
                EXAMINED_PER_PAGE // len(INDEX),
            ),
        )
        pairs = zip(found[::2], found[1::2], strict=True)
        marks = [Mark(int(active), member.decode("latin-1")) for member, active in pairs]
        return marks, None if ended else Mark(int(active), session.decode("latin-1"))

    async def _records(self, marks: list[Mark]) -> list[SessionRecord | None]:
        """The records, with the activity that the index knows; None for a session that is gone."""
        return list(await asyncio.gather(*(self._record(mark) for mark in marks)))

    async def _record(self, mark: Mark) -> SessionRecord | None:
        session = session_of(mark.session.encode("latin-1"))
        try:
            record = (await self._find(session)).record
        except (SessionNotFound, Damaged):
            return None
        except SessionDeleted:
            await self._unlist(session)
            return None
        return replace(record, active_ms=max(record.active_ms, mark.active_ms))

"""Sessions from one store into another, as they are: with their lineage, so that devices go on where they
were, and with who wrote what.

A base becomes the first turn of the new log and its base at once; the turns after it follow. So the length
of the new log says how far a transfer came that was broken off, and doing it again carries on from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from threadline.document.rules import rules_for
from threadline.errors import ProtocolError, StoreError
from threadline.ids import SERVER_USER, SessionId, split_document_name
from threadline_server.backplane.base import (
    Append,
    AppendRefused,
    Backplane,
    DocumentName,
    Entry,
    Position,
    SessionQuery,
    Stored,
    Turn,
)
from threadline_server.rooms.gate import NO_OWNER, Gate
from threadline_server.upkeep.archive import Archive, BadArchive

EPOCH = "transfer"
SESSIONS_PER_PAGE = 200


class CannotPut(StoreError):
    """The target has something else under this id, or this session went on there."""

    code = "cannot_put"


async def take(source: Backplane, session: SessionId) -> Archive:
    """Everything of a session. Raises SessionNotFound, SessionDeleted, StoreError."""
    record = await source.get_session(session)
    names = dict.fromkeys((DocumentName(session), *await source.list_documents(session)))
    return Archive(record, {name: await source.load(name) for name in names})


async def put(target: Backplane, archive: Archive) -> bool:
    """Store a session; False when all of it was there already.

    Raises SessionDeleted where a tombstone holds the id, BadArchive for updates that are none, CannotPut, and
    StoreError.
    """
    turns = {name: _turns(target, archive, name) for name in archive.documents}
    record = await target.create_session(archive.record)
    if record.lineage != archive.record.lineage:
        raise CannotPut(f"There is another session {record.id} already; it is left as it is.")
    new = False
    for name, stored in archive.documents.items():
        new |= await _put_document(target, record.lineage, name, stored, turns[name])
    return new


def _turns(target: Backplane, archive: Archive, name: DocumentName) -> list[Turn]:
    """What the log will be, the base as its first turn. The gate reads all of it, so nothing else gets in."""
    stored = archive.documents[name]
    if split_document_name(name)[0] != archive.record.id:
        raise BadArchive(f"{name} is no document of session {archive.record.id}.")
    gate = Gate(rules_for(split_document_name(name)[1]))
    turns = []
    try:
        if stored.base is not None:
            ranges = gate.trust(stored.base, NO_OWNER)
            base = Entry(SERVER_USER, "server", ranges, stored.base, archive.record.active_ms)
            turns.append(Turn(target.node, EPOCH, (base,)))
        for logged in stored.tail:
            for entry in logged.turn.entries:
                gate.trust(entry.update, entry.user)
            turns.append(logged.turn)
    except ProtocolError as error:
        raise BadArchive(f"{name} holds an update that cannot be read: {error.message}") from error
    return turns


async def _put_document(
    target: Backplane, lineage: str, name: DocumentName, stored: Stored, turns: list[Turn]
) -> bool:
    """Carry on where the new log ends; whether anything was missing."""
    there = await target.load(name)
    begin = there.position
    if begin > len(turns):
        raise CannotPut(f"{name} was written to after it came here; it is left as it is.")
    for number, turn in enumerate(turns[begin:], start=begin):
        await _append(target, lineage, name, turn)
        if number == 0 and stored.base is not None:
            await target.compact(name, lineage, stored.base, stored.index or b"", Position(1))
    if begin > 0 and stored.base is not None and there.base is None:
        await target.compact(name, lineage, stored.base, stored.index or b"", Position(1))
    return begin < len(turns)


async def _append(target: Backplane, lineage: str, name: DocumentName, turn: Turn) -> None:
    """Back when it is durable. Raises CannotPut."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def refused(append: Append, refusal: AppendRefused) -> None:
        done.set_exception(CannotPut(f"{name} is not what it was here: {refusal.message}"))

    append = Append(
        name,
        lineage,
        turn,
        on_taken=lambda append, position: None,
        on_durable=lambda append: done.set_result(None),
        on_refused=refused,
    )
    target.append([append])
    await done


async def sessions_of(source: Backplane) -> AsyncIterator[SessionId]:
    """Every session of a store that nobody uses meanwhile."""
    cursor: str | None = None
    while True:
        page = await source.list_sessions(SessionQuery(limit=SESSIONS_PER_PAGE, cursor=cursor))
        for record in page.sessions:
            yield record.id
        cursor = page.cursor
        if cursor is None:
            return


async def copy_values(source: Backplane, target: Backplane, kind: str, ttl_ms: int) -> int:
    """Copy the ledger's values of a kind that are not there yet; how many."""
    values = await source.list_values(kind)
    return sum([await target.swap_value(kind, key, None, value, ttl_ms) for key, value in values.items()])

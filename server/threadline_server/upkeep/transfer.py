"""Sessions from one store into another, as they are: with their lineage, so that devices go on where they
were, with who wrote what, with their blobs, and deleted ones as deleted.

A base becomes the first turn of the new log and its base at once; the turns after it follow. So the length
of the new log says how far a transfer came that was broken off, and doing it again carries on from there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from threadline.document.rules import rules_for
from threadline.errors import ProtocolError, SessionDeleted, StoreError
from threadline.ids import SERVER_USER, SessionId, split_document_name
from threadline_server.backplane.base import (
    Append,
    AppendRefused,
    Backplane,
    BlobNotFound,
    DocumentName,
    Entry,
    Position,
    SessionQuery,
    SessionRecord,
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


BlobNames = Callable[[Mapping[str, str]], Sequence[str]]
"""The names of a session's blobs, which are told in its decisions."""


async def take(source: Backplane, session: SessionId, blob_names: BlobNames) -> Archive:
    """Everything of a session. Raises SessionNotFound, SessionDeleted, StoreError."""
    record = await source.get_session(session)
    names = dict.fromkeys((DocumentName(session), *await source.list_documents(session)))
    documents = {name: await source.load(name) for name in names}
    decisions = await source.list_decisions(session)
    blobs: dict[str, bytes] = {}
    for blob in blob_names(decisions):
        with contextlib.suppress(BlobNotFound):  # one that was reserved, and then not stored
            blobs[blob] = await source.get_blob(session, blob)
    return Archive(record, documents, decisions, blobs)


async def put(target: Backplane, archive: Archive) -> bool:
    """Store a session; False when all of it was there already.

    Raises SessionDeleted where a tombstone holds the id, BadArchive for updates that are none, CannotPut, and
    StoreError.
    """
    turns = {name: _turns(target, archive, name) for name in archive.documents}
    record = await target.create_session(archive.record)
    if record.lineage != archive.record.lineage:
        raise CannotPut(f"There is another session {record.id} already; it is left as it is.")
    new = await _put_decisions(target, archive)
    for name, stored in archive.documents.items():
        new |= await _put_document(target, record.lineage, name, stored, turns[name])
    return new


async def _put_decisions(target: Backplane, archive: Archive) -> bool:
    """Decisions and blobs; whether any was missing. Raises CannotPut."""
    session = archive.record.id
    there = await target.list_decisions(session)
    for key, value in archive.decisions.items():
        if await target.decide(session, key, value) != value:
            raise CannotPut(f"In session {session} something else was decided about {key} meanwhile.")
    missing = archive.decisions.keys() - there.keys()
    for blob, data in archive.blobs.items():
        try:
            await target.get_blob(session, blob)
        except BlobNotFound:
            await target.put_blob(session, blob, data)
            missing.add(blob)
    return bool(missing)


async def bury(target: Backplane, session: SessionId, lineage: str) -> bool:
    """Leave a tombstone, as where the session was deleted; False when it was there. Raises CannotPut."""
    record = SessionRecord(session, lineage, SERVER_USER, created_ms=1, active_ms=1)
    try:
        there = await target.create_session(record)
    except SessionDeleted:
        return False
    if there.lineage != lineage:
        raise CannotPut(f"There is another session {session}; it is left, and the deleted one not noted.")
    await target.delete_session(session)
    return True


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


async def copy_values(source: Backplane, target: Backplane, kind: str) -> int:
    """Copy the ledger's values of a kind that are not there yet, each for as long as it lasts; how many."""
    lives = await source.list_lives(kind)
    copied = 0
    for key, value in (await source.list_values(kind)).items():
        if key in lives:  # else it ended in between
            copied += await target.swap_value(kind, key, None, value, lives[key])
    return copied

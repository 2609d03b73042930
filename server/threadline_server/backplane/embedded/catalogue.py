"""The catalogue's rows: records, the facets they stand in, tombstones. Blocking; called from threads."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

from threadline.errors import SessionDeleted
from threadline.ids import SessionId
from threadline_server.backplane.base import Damaged, DocumentName, SessionPage, SessionQuery, SessionRecord
from threadline_server.backplane.damage import checksum, expect
from threadline_server.backplane.embedded.log import lineage_of, snapshot, transaction
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

_SELECT = "SELECT * FROM sessions WHERE id = ?"
_REPLACE = "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_WALK = """
    SELECT s.* FROM facets f JOIN sessions s ON s.id = f.session
    WHERE f.facet = ? AND (f.active_ms, f.session) < (?, ?) AND f.active_ms >= ?
    ORDER BY f.active_ms DESC, f.session DESC LIMIT ?
"""
_LEAVE = "DELETE FROM facets WHERE facet = ? AND active_ms = ? AND session = ?"
_MOVE = "UPDATE facets SET active_ms = ? WHERE facet = ? AND active_ms = ? AND session = ?"
_STEP = 500
_LAST_MARK = Mark((1 << 63) - 1, "")

Row = tuple[str, str, str, int, int, str, str, str, str, str, str, int | None]
_ACTIVE = 4  # changes with every turn, and harms nobody


def _covered(row: Row) -> tuple[str | int, ...]:
    """What the checksum at the end of a row is over."""
    return tuple(str(value) for at, value in enumerate(row[:-1]) if at != _ACTIVE)


def _record(row: Row) -> SessionRecord:
    """Raises Damaged."""
    expect(DocumentName(row[0]), "The record", row[-1], *_covered(row))
    return SessionRecord(
        SessionId(row[0]), *row[1:9], labels=tuple(json.loads(row[9])), members=json.loads(row[10])
    )


def _row(record: SessionRecord) -> Row:
    row: Row = (
        record.id,
        record.lineage,
        record.owner,
        record.created_ms,
        record.active_ms,
        record.title,
        record.agent,
        record.status,
        record.parent,
        json.dumps(record.labels),
        json.dumps(record.members),
        None,
    )
    return (*row[:-1], checksum(*_covered(row)))


def _find(connection: sqlite3.Connection, session: SessionId) -> SessionRecord | None:
    row = connection.execute(_SELECT, (session,)).fetchone()
    return _record(row) if row else None


def get(connection: sqlite3.Connection, session: SessionId) -> SessionRecord:
    """Raises SessionNotFound, SessionDeleted, Damaged."""
    with snapshot(connection):
        record = _find(connection, session)
        if record is None:
            lineage_of(connection, session)
    assert record is not None
    return record


def _is_deleted(connection: sqlite3.Connection, session: SessionId) -> bool:
    return connection.execute("SELECT 1 FROM tombstones WHERE session = ?", (session,)).fetchone() is not None


def create(connection: sqlite3.Connection, record: SessionRecord) -> SessionRecord:
    """The record that is there now, `record` or an older one. Raises SessionDeleted."""
    with transaction(connection):
        if _is_deleted(connection, record.id):
            raise SessionDeleted(f"Session {record.id} was deleted.", session_id=record.id)
        there = _find(connection, record.id)
        if there is None:
            _put(connection, None, record)
    return there or record


def update(connection: sqlite3.Connection, session: SessionId, changes: dict[str, object]) -> SessionRecord:
    """Raises SessionNotFound, SessionDeleted, TypeError."""
    with transaction(connection):
        there = _find(connection, session)
        if there is None:
            lineage_of(connection, session)
        assert there is not None
        record = changed(there, changes)
        _put(connection, there, record)
    return record


def renew_lineages(connection: sqlite3.Connection, new_lineage: Callable[[], str]) -> None:
    """Let every session be another one than before, as far as devices can tell. Raises Damaged."""
    with transaction(connection):
        for row in connection.execute("SELECT * FROM sessions").fetchall():
            there = _record(row)
            _put(connection, there, replace(there, lineage=new_lineage()))


def touch(connection: sqlite3.Connection, session: SessionId, active_ms: int) -> SessionRecord | None:
    """Move a session up to its last activity; None where it is gone, newer or damaged, and stays as it is."""
    with transaction(connection):
        try:
            there = _find(connection, session)
        except Damaged:
            return None
        if there is None or there.active_ms >= active_ms:
            return None
        connection.execute("UPDATE sessions SET active_ms = ? WHERE id = ?", (active_ms, session))
        connection.executemany(_MOVE, [(active_ms, *place) for place in _places(there)])
    return replace(there, active_ms=active_ms)


def _put(connection: sqlite3.Connection, old: SessionRecord | None, new: SessionRecord) -> None:
    connection.execute(_REPLACE, _row(new))
    before, after = _places(old), _places(new)
    connection.executemany(_LEAVE, before - after)
    connection.executemany("INSERT INTO facets VALUES (?, ?, ?)", after - before)


def _places(record: SessionRecord | None) -> set[tuple[str, int, str]]:
    if record is None:
        return set()
    return {(facet, record.active_ms, record.id) for facet in facets_of(record)}


def list_page(connection: sqlite3.Connection, query: SessionQuery) -> SessionPage:
    """One page, newest activity first. Raises BadCursor."""
    mark = read_cursor(query.cursor) or _LAST_MARK
    if query.active_before_ms is not None:
        mark = min(mark, Mark(query.active_before_ms + 1, ""))
    facet = _shortest(connection, facets_asked(query))
    size = page_size(query)
    found: list[SessionRecord] = []
    for _ in range(0, EXAMINED_PER_PAGE, _STEP):
        rows = _walk(connection, facet, mark, query.active_after_ms or 0)
        for record in _sound(rows):
            if len(found) == size:
                return SessionPage(tuple(found), write_cursor(mark))
            mark = Mark(record.active_ms, record.id)
            if matches(record, query):
                found.append(record)
        if len(rows) < _STEP:
            return SessionPage(tuple(found), None)
    return SessionPage(tuple(found), write_cursor(mark))


def _walk(connection: sqlite3.Connection, facet: str, mark: Mark, active_after: int) -> list[Row]:
    return list(connection.execute(_WALK, (facet, mark.active_ms, mark.session, active_after, _STEP)))


def _sound(rows: Iterable[Row]) -> Iterator[SessionRecord]:
    """The records of `rows` that are as they were written: one that is not shall not hide the others."""
    for row in rows:
        with suppress(Damaged):
            yield _record(row)


def _shortest(connection: sqlite3.Connection, facets: list[str]) -> str:
    if len(facets) == 1:
        return facets[0]
    return min(facets, key=lambda facet: _bounded_length(connection, facet))


def _bounded_length(connection: sqlite3.Connection, facet: str) -> int:
    row = connection.execute(
        "SELECT count(*) FROM (SELECT 1 FROM facets WHERE facet = ? LIMIT ?)", (facet, EXAMINED_PER_PAGE)
    ).fetchone()
    return int(row[0])


def bury(connection: sqlite3.Connection, session: SessionId) -> bool:
    """Replace the record by a tombstone; False when there is nothing to bury, or it is done already."""
    with transaction(connection):
        row = connection.execute(_SELECT, (session,)).fetchone()
        if row is None:
            return False
        connection.execute("INSERT INTO tombstones VALUES (?, ?, 0)", (session, row[1]))
        connection.execute("DELETE FROM sessions WHERE id = ?", (session,))
        try:
            places = _places(_record(row))
            connection.executemany(_LEAVE, places)
        except Damaged:  # nobody can say where it stands
            connection.execute("DELETE FROM facets WHERE session = ?", (session,))
    return True


def unswept(connection: sqlite3.Connection) -> list[SessionId]:
    """Deleted sessions of which rows may be left."""
    return [SessionId(row[0]) for row in connection.execute("SELECT session FROM tombstones WHERE NOT swept")]


def documents_of(connection: sqlite3.Connection, session: SessionId) -> list[tuple[int, str]]:
    rows = connection.execute("SELECT id, name FROM documents WHERE session = ? ORDER BY name", (session,))
    return list(rows)


def forget(connection: sqlite3.Connection, session: SessionId) -> None:
    """Take away the last rows of a deleted session, when its turns and bases are gone."""
    with transaction(connection):
        reached = "DELETE FROM reached WHERE document IN (SELECT id FROM documents WHERE session = ?)"
        connection.execute(reached, (session,))
        connection.execute("DELETE FROM documents WHERE session = ?", (session,))
        connection.execute("DELETE FROM decisions WHERE session = ?", (session,))
        connection.execute("UPDATE tombstones SET swept = 1 WHERE session = ?", (session,))


def tombstones(connection: sqlite3.Connection, after: str, limit: int) -> list[tuple[str, str]]:
    """Deleted sessions with their lineages, by name."""
    query = "SELECT session, lineage FROM tombstones WHERE session > ? ORDER BY session LIMIT ?"
    return list(connection.execute(query, (after, limit)))


def decisions_of(connection: sqlite3.Connection, session: SessionId) -> dict[str, str]:
    """Raises SessionNotFound or SessionDeleted."""
    lineage_of(connection, session)
    return dict(connection.execute("SELECT name, value FROM decisions WHERE session = ?", (session,)))


def decide(connection: sqlite3.Connection, session: SessionId, name: str, value: str) -> str:
    """The first value that was stored under a name. Raises SessionNotFound or SessionDeleted."""
    with transaction(connection):
        lineage_of(connection, session)
        connection.execute("INSERT OR IGNORE INTO decisions VALUES (?, ?, ?)", (session, name, value))
        row = connection.execute(
            "SELECT value FROM decisions WHERE session = ? AND name = ?", (session, name)
        ).fetchone()
    return str(row[0])

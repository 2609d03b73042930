"""The SQLite file: its tables, and how every connection to it is set.

Rows of the log are numbered `document id << 32 | position`, so that a document's turns stand together in one
table whose key is the row id itself: an append is one insert at the end of the document's range.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from threadline.errors import StoreError
from threadline_server.backplane.embedded.synced_mark import expect_synced

FILE_NAME = "threadline.sqlite3"
VERSION = 5
POSITION_BITS = 32
WRITER_CACHE_KIB = 8_192
"""Of the connection that moves turns: the last page of every log that grows."""

TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE sessions (
    id TEXT PRIMARY KEY, lineage TEXT NOT NULL, owner TEXT NOT NULL, created_ms INTEGER NOT NULL,
    active_ms INTEGER NOT NULL, title TEXT NOT NULL, agent TEXT NOT NULL, status TEXT NOT NULL,
    parent TEXT NOT NULL, labels TEXT NOT NULL, members TEXT NOT NULL, checked INTEGER);
CREATE TABLE facets (
    facet TEXT NOT NULL, active_ms INTEGER NOT NULL, session TEXT NOT NULL,
    PRIMARY KEY (facet, active_ms, session)) WITHOUT ROWID;
CREATE TABLE tombstones (session TEXT PRIMARY KEY, lineage TEXT NOT NULL, swept INTEGER NOT NULL) WITHOUT
ROWID; CREATE INDEX unswept ON tombstones (session) WHERE NOT swept;
CREATE TABLE documents (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, session TEXT NOT NULL,
    base_position INTEGER NOT NULL DEFAULT 0, generation INTEGER NOT NULL DEFAULT 0,
    clocks BLOB NOT NULL DEFAULT x'', checked INTEGER);
CREATE INDEX documents_by_session ON documents (session);
CREATE TABLE log (row INTEGER PRIMARY KEY, turn BLOB NOT NULL);
CREATE TABLE bases (
    document INTEGER NOT NULL, generation INTEGER NOT NULL, kind INTEGER NOT NULL, part INTEGER NOT NULL,
    data BLOB NOT NULL, UNIQUE (document, generation, kind, part));
CREATE TABLE decisions (
    session TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (session, name)) WITHOUT
    ROWID;
"""

REACHED = "CREATE TABLE reached (document INTEGER PRIMARY KEY, position INTEGER NOT NULL);"
"""How far each log has come at least: what says that turns at its end are missing."""

LARGE_TURNS = """
CREATE TABLE large_turns (part INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE putting (number INTEGER PRIMARY KEY);
"""
"""Turns that are put down in parts: see there."""

UPGRADES = {
    1: f"""
        ALTER TABLE sessions ADD COLUMN checked INTEGER;
        ALTER TABLE documents ADD COLUMN checked INTEGER;
        {REACHED}""",
    2: LARGE_TURNS,
    3: "",
    4: "",
}
"""From a version to the next. What was written before 2 has no checksum until it is written again; programs
before 4 know of no journal, those before 5 of none whose checksums cover the ends of turns twice, and would
not see what only it has.
"""

LEDGER = """
CREATE TABLE IF NOT EXISTS ledger (
    kind TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, until_ms INTEGER NOT NULL,
    PRIMARY KEY (kind, name)) WITHOUT ROWID;
"""
"""Also made in files of before it; `until_ms` 0 is for ever."""


def connect(path: Path, cache_kib: int = 1_024) -> sqlite3.Connection:
    """A connection that commits to the WAL without a sync and never checkpoints by itself.

    It waits for no lock: who may write is settled by the turnstile, and another process has no business here.
    `cache_kib` is for pages that the system caches as well. Pages that are given free are not overwritten, as
    some builds of SQLite would: turns that a base stands for would be written twice.
    """
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("PRAGMA secure_delete=FAST")
    connection.execute(f"PRAGMA cache_size=-{cache_kib}")
    return connection


def prepare(directory: Path) -> None:
    """Make the file with its tables, or check those of one that is there. Raises StoreError."""
    path = directory / FILE_NAME
    try:
        expect_synced(path)
        connection = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            _prepare(connection, path)
        finally:
            connection.close()
    except (sqlite3.Error, UnicodeDecodeError) as error:  # damage may be in the words that tell of it
        raise StoreError(f"{path} cannot be opened as a store: {error}.") from error


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise StoreError(
            f"{path} was written by a newer version (schema {version}, this one knows {VERSION})."
        )
    if version == 0:
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    if connection.execute("PRAGMA journal_mode=WAL").fetchone()[0] != "wal":
        raise StoreError(
            f"{path} lies on a file system without shared memory; choose a local disk with --data."
        )
    steps = (
        [TABLES, REACHED, LARGE_TURNS]
        if version == 0
        else [UPGRADES[past] for past in range(version, VERSION)]
    )
    if steps:
        connection.executescript(f"BEGIN IMMEDIATE; {' '.join(steps)} PRAGMA user_version={VERSION}; COMMIT;")
    connection.executescript(LEDGER)


def row_of(document: int, position: int) -> int:
    """The log's row of one turn; `position` 0 is before the first, so it bounds a range from below."""
    return document << POSITION_BITS | position


def rows_of(document: int) -> tuple[int, int]:
    """The lowest and highest row that a document can have."""
    return document << POSITION_BITS, (document + 1 << POSITION_BITS) - 1


def document_of(row: int) -> int:
    return row >> POSITION_BITS


def position_of(row: int) -> int:
    return row & (1 << POSITION_BITS) - 1

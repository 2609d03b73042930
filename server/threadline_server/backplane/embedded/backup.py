"""A copy of a store that is in use, and a store made of such a copy. Blocking.

The copy is of one moment: all pages are read in one transaction of a second process or connection, which in
WAL mode keeps nobody from writing (https://www.sqlite.org/backup.html, https://www.sqlite.org/wal.html). What
the journal had before that is moved into the copy. It holds every turn that was acknowledged before it began.
A backup is a data directory of its own: a node could be started on it, but `restore` says more, see there.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from threadline.errors import StoreError
from threadline_server.backplane.embedded import catalogue
from threadline_server.backplane.embedded.checkpoint import mark_restored
from threadline_server.backplane.embedded.journal import FILE_NAMES
from threadline_server.backplane.embedded.journal_mark import MARK_NAME
from threadline_server.backplane.embedded.lock import LOCK_NAME
from threadline_server.backplane.embedded.mover import move_at_once
from threadline_server.backplane.embedded.reader import connect_to_read, rows_to_move
from threadline_server.backplane.embedded.schema import FILE_NAME, connect, prepare
from threadline_server.backplane.objects import sync_directory

NOTE_NAME = "backup.json"
PAGES_PER_STEP = 2_048
NOT_COPIED = {
    *(f"{FILE_NAME}{suffix}" for suffix in ("", "-wal", "-shm", "-synced")),
    *FILE_NAMES,
    MARK_NAME,
    LOCK_NAME,
    NOTE_NAME,
    "loading",
}

Progress = Callable[[int, int], None]
"""Pages copied, pages in all."""


@dataclass(frozen=True, slots=True)
class BackupNote:
    """What a backup says of itself."""

    schema: int
    made_ms: int
    sessions: int
    bytes: int


def back_up(directory: Path, target: Path, now_ms: int, progress: Progress) -> BackupNote:
    """Copy the store in `directory` to `target`, which must not be there yet. Raises StoreError.

    It appears under its name when it is whole, checked and on disk.
    """
    if not (directory / FILE_NAME).is_file():
        raise StoreError(f"There is no store in {directory}. Name its directory with --data.")
    _refuse_existing(target)
    part = _fresh(target)
    try:
        _copy_pages(directory, part, progress)
        _copy_beside(directory, part)
        note = _note(part, now_ms)
        (part / NOTE_NAME).write_text(json.dumps(asdict(note)) + "\n")
        _sync_all(part)
        part.rename(target)
        sync_directory(target.parent)
    except (OSError, sqlite3.Error) as error:
        shutil.rmtree(part, ignore_errors=True)
        raise StoreError(f"The backup could not be written to {target}: {error}.") from error
    return note


def restore(source: Path, directory: Path, *, same_lineage: bool, new_lineage: Callable[[], str]) -> int:
    """Make a store in `directory`, which must not be there yet, of a backup; how many sessions it has.

    What was written after the backup is gone from the store, and devices still have it. So every session gets
    a new lineage: devices set their copies aside, join anew and bring over what is their own. With
    `same_lineage` they go on as if nothing had happened, which is right only where nothing was written after
    the backup. Either way the node writes under new client ids, never twice under the same clocks.
    """
    if not (source / FILE_NAME).is_file():
        raise StoreError(f"There is no backup in {source}.")
    _refuse_existing(directory)
    part = _fresh(directory)
    try:
        _copy_pages(source, part, lambda copied, pages: None)
        _copy_beside(source, part)
        sessions = _start_anew(part, None if same_lineage else new_lineage)
        _sync_all(part)
        part.rename(directory)
        sync_directory(directory.parent)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{source} could not be restored: {error}.") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return sessions


def _refuse_existing(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StoreError(f"{target} is there already; name a directory that is not, or is empty.")


def _fresh(target: Path) -> Path:
    """An empty directory beside `target`, where what a broken attempt left is removed."""
    part = target.with_name(f"{target.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        part.mkdir(mode=0o700)
    except OSError as error:
        raise StoreError(f"{part} cannot be made ({error.strerror}). Choose another place.") from error
    return part


def _copy_pages(directory: Path, part: Path, progress: Progress) -> None:
    with closing(connect_to_read(directory)) as source, closing(sqlite3.connect(part / FILE_NAME)) as copy:
        to_move = rows_to_move(source, directory)
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM meta").fetchone()  # from here on it sees one moment
        source.backup(
            copy,
            pages=PAGES_PER_STEP,
            progress=lambda status, left, pages: progress(pages - left, pages),
            sleep=0,
        )
        source.execute("COMMIT")
        copy.isolation_level = None
        move_at_once(copy, to_move)
        found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise StoreError(
            f"The store in {directory} is damaged: {found}. `threadline session verify` says more."
        )


def _copy_beside(directory: Path, part: Path) -> None:
    """Blobs and keys. What is being written right now has a name of its own and is left out."""
    for entry in directory.iterdir():
        if entry.name in NOT_COPIED:
            continue
        if entry.is_dir():
            shutil.copytree(entry, part / entry.name, ignore=shutil.ignore_patterns("tmp*"))
        else:
            shutil.copy2(entry, part / entry.name)


def _note(part: Path, now_ms: int) -> BackupNote:
    with closing(connect_to_read(part)) as copy:
        schema = copy.execute("PRAGMA user_version").fetchone()[0]
        sessions = copy.execute("SELECT count(*) FROM sessions").fetchone()[0]
    size = sum(path.stat().st_size for path in part.rglob("*") if path.is_file())
    return BackupNote(schema, now_ms, sessions, size)


def _start_anew(part: Path, new_lineage: Callable[[], str] | None) -> int:
    prepare(part)
    with closing(connect(part / FILE_NAME)) as connection:
        mark_restored(connection, secrets.randbits(62))
        if new_lineage is not None:
            catalogue.renew_lineages(connection, new_lineage)
        sessions = int(connection.execute("SELECT count(*) FROM sessions").fetchone()[0])
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return sessions


def _sync_all(directory: Path) -> None:
    for path in (directory, *directory.rglob("*")):
        if path.is_dir():
            sync_directory(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())

"""A WAL that was being started over when the power failed is no damage; one that lost what was synced is."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from threadline_server.backplane.base import Damaged
from threadline_server.backplane.embedded.synced_mark import SyncedMark, expect_synced

HEADER_BYTES = 32


class Written:
    """A database whose WAL was noted as durable, copied into the file and started over.

    The parts are what the disk had at each step: `noted` and `copied` are the same WAL.
    """

    def __init__(self, directory: Path) -> None:
        self.database = directory / "a.sqlite3"
        with closing(sqlite3.connect(self.database, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA wal_autocheckpoint=0")
            connection.execute("CREATE TABLE words (word TEXT)")
            for number in range(20):
                connection.execute("INSERT INTO words VALUES (?)", (f"{number}" * 300,))
            mark = SyncedMark(self.database)
            frames = mark.frames()
            assert frames is not None
            mark.note(frames)
            mark.close()
            self.wal = self._wal.read_bytes()
            self.before_copy = self.database.read_bytes()
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            self.after_copy = self.database.read_bytes()
            connection.execute("INSERT INTO words VALUES ('again')")
            self.next_header = self._wal.read_bytes()[:HEADER_BYTES]
            self.mark = self._mark.read_bytes()
        assert self.next_header != self.wal[:HEADER_BYTES]
        assert self.before_copy != self.after_copy

    @property
    def _wal(self) -> Path:
        return Path(f"{self.database}-wal")

    @property
    def _mark(self) -> Path:
        return Path(f"{self.database}-synced")

    def leave(self, database: bytes, wal: bytes) -> Path:
        """What a power cut leaves: the path of the database."""
        self.database.write_bytes(database)
        self._wal.write_bytes(wal)
        self._mark.write_bytes(self.mark)
        Path(f"{self.database}-shm").unlink(missing_ok=True)
        return self.database

    def torn(self) -> Iterator[bytes]:
        """The WAL with each part of the header by which it is started over."""
        for count in range(HEADER_BYTES + 1):
            yield self.next_header[:count] + self.wal[count:]


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    yield Written(tmp_path)
    shutil.rmtree(tmp_path)


def test_a_header_that_was_cut_short_is_no_damage(written: Written) -> None:
    for wal in written.torn():
        expect_synced(written.leave(written.after_copy, wal))


def test_an_unreadable_header_is_damage_when_the_database_lacks_what_was_noted(written: Written) -> None:
    sound = (written.wal[:HEADER_BYTES], written.next_header)
    unreadable = [wal for wal in written.torn() if wal[:HEADER_BYTES] not in sound]
    assert unreadable
    for wal in unreadable:
        with pytest.raises(Damaged, match="only the first 0"):
            expect_synced(written.leave(written.before_copy, wal))


@pytest.mark.parametrize("zeros", [4, HEADER_BYTES, 512, 4_096, 20_000])
def test_a_beginning_that_is_gone_is_damage(written: Written, zeros: int) -> None:
    with pytest.raises(Damaged):
        expect_synced(written.leave(written.after_copy, bytes(zeros) + written.wal[zeros:]))


def test_frames_that_are_gone_are_damage_beside_a_header_that_was_cut_short(written: Written) -> None:
    *_, torn, _ = written.torn()
    for count in (HEADER_BYTES, HEADER_BYTES + 30, len(written.wal) // 2):
        with pytest.raises(Damaged):
            expect_synced(written.leave(written.after_copy, torn[:count]))

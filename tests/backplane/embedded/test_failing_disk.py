"""A disk that is full or fails: nothing is acknowledged, the state is told, and it heals by itself."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.contract.writing import Reader, a_document, a_session, eventually

from threadline.errors import StoreError
from threadline_server.backplane.base import DocumentName
from threadline_server.backplane.embedded import EmbeddedBackplane
from threadline_server.backplane.embedded.journal import FILE_NAMES
from threadline_server.backplane.embedded.large_turns import LARGE_BYTES
from threadline_server.backplane.embedded.syncer import sync_file

TRIP = DocumentName("trip")


class Disk:
    """Syncs for real, unless it is told to fail."""

    def __init__(self) -> None:
        self.fails = False
        self.failed = 0

    def sync(self, fd: int) -> None:
        if self.fails:
            self.failed += 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync_file(fd)


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest_asyncio.fixture
async def store(tmp_path: Path, disk: Disk) -> AsyncIterator[EmbeddedBackplane]:
    backplane = EmbeddedBackplane(tmp_path / "data", sync=disk.sync)
    await backplane.open()
    yield backplane
    await backplane.close()


@pytest.mark.asyncio
async def test_a_failed_sync_acknowledges_nothing_until_the_disk_is_well(
    store: EmbeddedBackplane, disk: Disk
) -> None:
    """A large one, and what follows it, is not taken either: its parts must be on disk before."""
    writer = await a_document(store)
    await writer.write()
    disk.fails = True
    outcomes = [writer.begin(writer.next_turn(text)) for text in ("a", "b" * 2 * LARGE_BYTES, "c")]
    await eventually(lambda: disk.failed >= 2)
    assert [outcome.events for outcome in outcomes] == [["taken"], [], []]
    assert not store.healthy
    disk.fails = False
    for outcome in outcomes:
        assert (await outcome.end()).events == ["taken", "durable"]
    await eventually(lambda: store.healthy)
    assert (await store.load(TRIP)).position == 4


def lose(file: Path, text: bytes) -> None:
    """What the kernel may do to pages that it could not write."""
    data = file.read_bytes()
    with file.open("r+b") as opened:
        opened.seek(data.rindex(text))
        opened.write(bytes(len(text)))


@pytest.mark.asyncio
async def test_turns_that_a_failed_sync_lost_are_written_again(store: EmbeddedBackplane, disk: Disk) -> None:
    """Those that were written after it, and before anybody knew, too."""
    writer = await a_document(store)
    await writer.write()
    disk.fails = True
    outcomes = [writer.begin(writer.next_turn("x" * 100))]
    await eventually(lambda: disk.failed >= 1)
    outcomes.append(writer.begin(writer.next_turn("z" * 100)))
    failed = disk.failed
    await eventually(lambda: disk.failed > failed)
    journal = journal_of(store)
    for text in (b"x" * 100, b"z" * 100):
        lose(journal, text)
    disk.fails = False
    for outcome in outcomes:
        assert (await outcome.end()).events == ["taken", "durable"]
    assert b"x" * 100 in journal.read_bytes()
    assert b"z" * 100 in journal.read_bytes()


def journal_of(store: EmbeddedBackplane) -> Path:
    return store.directory / FILE_NAMES[store._journal.generation % 2]


@pytest.mark.asyncio
async def test_what_a_failed_sync_lost_of_the_wal_is_never_acknowledged(
    store: EmbeddedBackplane, disk: Disk
) -> None:
    writer = await a_document(store)
    await writer.write()
    disk.fails = True
    outcome = writer.begin(writer.next_turn("x" * 2 * LARGE_BYTES))
    wal = store.directory / "threadline.sqlite3-wal"
    await eventually(lambda: disk.failed >= 1 and wal.read_bytes().count(b"x" * 100) > LARGE_BYTES // 100)
    lose(wal, b"x" * 100)
    disk.fails = False
    await eventually(lambda: isinstance(store._sync_error, StoreError))
    assert outcome.events == []
    assert not store.healthy


@pytest.mark.asyncio
async def test_a_table_that_is_full_delays_no_turn(store: EmbeddedBackplane) -> None:
    """They are in the journal for good, and are moved when there is room."""
    writer = await a_document(store)
    await writer.write()
    connection = store._connections._writer
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages}")
    reader = Reader().follow(store, TRIP)
    outcomes = [writer.begin(writer.next_turn("y" * 3_000)) for _ in range(20)]
    for outcome in outcomes:
        assert (await outcome.end()).events == ["taken", "durable"]
    await eventually(lambda: not store.healthy)
    with pytest.raises(StoreError, match="full"):
        await store.load(TRIP)
    connection.execute("PRAGMA max_page_count=1000000")
    assert (await store.load(TRIP)).position == 21
    assert store.healthy
    await eventually(lambda: reader.positions == list(range(1, 22)))


@pytest.mark.asyncio
async def test_a_journal_that_is_full_delays_turns_and_loses_none(store: EmbeddedBackplane) -> None:
    writer = await a_document(store)
    await writer.write()
    segment = store._journal._active
    real = os.dup(segment.fd)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, segment.fd)
    reader = Reader().follow(store, TRIP)
    outcomes = [writer.begin(writer.next_turn("y" * 3_000)) for _ in range(20)]
    await eventually(lambda: not store.healthy)
    assert all(outcome.events == [] for outcome in outcomes)
    os.dup2(real, segment.fd)
    for outcome in outcomes:
        assert (await outcome.end()).events == ["taken", "durable"]
    assert store.healthy
    await eventually(lambda: reader.positions == list(range(1, 22)))
    os.close(real)
    os.close(full)


@pytest.mark.asyncio
async def test_a_full_store_tells_other_writers_so(store: EmbeddedBackplane) -> None:
    writer = store._connections._writer
    pages = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreError, match="full"):
        await store.create_session(a_session(title="z" * 100_000))
    writer.execute("PRAGMA max_page_count=1000000")
    await store.create_session(a_session(title="z" * 100_000))


@pytest.mark.asyncio
async def test_closing_on_a_failing_disk_ends(tmp_path: Path, disk: Disk) -> None:
    backplane = EmbeddedBackplane(tmp_path / "other", sync=disk.sync)
    await backplane.open()
    writer = await a_document(backplane)
    disk.fails = True
    outcome = writer.begin(writer.next_turn())
    await eventually(lambda: disk.failed >= 1)
    await backplane.close()
    assert outcome.events == ["taken"]
    assert any((tmp_path / "other" / name).exists() for name in FILE_NAMES)
    again = EmbeddedBackplane(tmp_path / "other")
    await again.open()
    assert (await again.load(TRIP)).position == 1
    await again.close()

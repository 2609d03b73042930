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
    writer = await a_document(store)
    await writer.write()
    disk.fails = True
    outcomes = [writer.begin(writer.next_turn(text)) for text in ("a", "b" * 2 * LARGE_BYTES, "c")]
    await eventually(lambda: disk.failed >= 2 and outcomes[-1].events != [])
    assert all(outcome.events == ["taken"] for outcome in outcomes)
    assert not store.healthy
    disk.fails = False
    for outcome in outcomes:
        assert (await outcome.end()).events == ["taken", "durable"]
    await eventually(lambda: store.healthy)
    assert (await store.load(TRIP)).position == 4


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [100, 2 * LARGE_BYTES])
async def test_what_a_failed_sync_lost_is_never_acknowledged(
    store: EmbeddedBackplane, disk: Disk, size: int
) -> None:
    writer = await a_document(store)
    disk.fails = True
    outcome = writer.begin(writer.next_turn("x" * size))
    await eventually(lambda: disk.failed >= 1 and outcome.events == ["taken"])
    wal = store.directory / "threadline.sqlite3-wal"
    with wal.open("r+b") as file:  # what the kernel may do to pages that it could not write
        data = file.read()
        file.seek(data.rindex(b"x" * 100))
        file.write(b"\0" * 100)
    disk.fails = False
    await eventually(lambda: isinstance(store._sync_error, StoreError))
    assert outcome.events == ["taken"]
    assert not store.healthy


@pytest.mark.asyncio
async def test_a_full_store_delays_turns_and_loses_none(store: EmbeddedBackplane) -> None:
    writer = await a_document(store)
    await writer.write()
    connection = store._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages}")
    reader = Reader().follow(store, TRIP)
    outcomes = [writer.begin(writer.next_turn("y" * 3_000)) for _ in range(20)]
    await eventually(lambda: not store.healthy)
    waiting = [outcome for outcome in outcomes if not outcome.events]
    assert waiting
    connection.execute("PRAGMA max_page_count=1000000")
    for outcome in outcomes:
        assert (await outcome.end()).events == ["taken", "durable"]
    assert store.healthy
    await eventually(lambda: reader.positions == list(range(1, 22)))


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
    await backplane.close()
    assert outcome.events == ["taken"]

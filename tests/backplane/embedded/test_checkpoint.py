"""WAL and journal stay short while turns go on, and a turn stays durable wherever it lies."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.contract.writing import a_document, eventually

from threadline_server.backplane.base import DocumentName
from threadline_server.backplane.embedded import EmbeddedBackplane

SESSIONS = 20
FEW_PAGES = 256


@pytest.fixture
def short_wal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The WAL is moved into the file again and again, and turns out of the journal."""
    monkeypatch.setattr("threadline_server.backplane.embedded.checkpoint.PAGES_DUE", FEW_PAGES)
    monkeypatch.setattr("threadline_server.backplane.embedded.mover.ROLL_BYTES", 64 * 1024)
    monkeypatch.setattr("threadline_server.backplane.embedded.store.UPKEEP_S", 0.01)


def restarts(store: EmbeddedBackplane) -> int:
    row = store._connection.execute("SELECT value FROM meta WHERE name = 'restarts'").fetchone()
    return int(row[0]) if row else 0


@pytest.mark.asyncio
@pytest.mark.usefixtures("short_wal")
async def test_wal_and_journal_are_started_over_while_turns_go_on(store: EmbeddedBackplane) -> None:
    writers = [await a_document(store, f"s{n}") for n in range(50)]
    outcomes = []
    first = store._journal.generation
    while restarts(store) < 2 or store._journal.generation < first + 5:
        pairs = [writer.prepare(writer.next_turn()) for writer in writers]
        store.append([append for append, _ in pairs])
        outcomes.append(pairs[-1][1])
        if len(outcomes) % 20 == 0:
            await outcomes[-1].end()
    await writers[0].write()
    for outcome in outcomes:
        assert (await outcome.end()).events == ["taken", "durable"]
    await eventually(lambda: store.stats()["wal_pages"] < FEW_PAGES)
    for writer in writers:
        stored = await store.load(writer.document)
        assert stored.position == len(outcomes) + (writer is writers[0])


@pytest.mark.asyncio
@pytest.mark.usefixtures("short_wal")
async def test_the_wal_does_not_wait_until_all_activity_is_written(
    store: EmbeddedBackplane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many sessions at a busy node that takes longer than the WAL takes to become long."""
    monkeypatch.setattr("threadline_server.backplane.embedded.store._A_LITTLE_EVERY_S", 1.0)
    writers = [await a_document(store, f"s{n}") for n in range(50)]
    while not restarts(store):
        pairs = [writer.prepare(writer.next_turn()) for writer in writers]
        store.append([append for append, _ in pairs])
        await pairs[-1][1].end()


@pytest.mark.asyncio
async def test_the_file_of_a_killed_process_holds_every_synced_turn(
    store: EmbeddedBackplane, tmp_path: Path
) -> None:
    writer = await a_document(store)
    for _ in range(20):
        await writer.write()
    copy = tmp_path / "copy"
    shutil.copytree(store.directory, copy)
    other = EmbeddedBackplane(copy)
    await other.open()
    assert (await other.load(DocumentName("trip"))).position == 20
    await other.close()


@pytest.mark.asyncio
async def test_compaction_gives_pages_back(store: EmbeddedBackplane) -> None:
    writer = await a_document(store)
    outcome = None
    for _ in range(2_000):
        outcome = writer.begin(writer.next_turn("w" * 2_000))
    assert outcome is not None
    position = (await outcome.end()).position
    assert position == 2_000
    await store.compact(writer.document, writer.lineage, b"base", b"", position)
    free = store._connection.execute("PRAGMA freelist_count").fetchone()[0]
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    assert pages - free < 100


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [2_500, 4_100, 6_000, 70_000])
async def test_a_compacted_document_takes_little_more_than_its_bytes(
    store: EmbeddedBackplane, size: int
) -> None:
    before = bytes_in_use(store)
    for n in range(SESSIONS):
        writer = await a_document(store, f"s{n}")
        for _ in range(20):
            await writer.write("t" * (size // 20))
        position = (await store.load(writer.document)).position
        await store.compact(writer.document, writer.lineage, b"b" * size, b"i" * 100, position)
    assert (bytes_in_use(store) - before) / SESSIONS <= 1.5 * size + 1_000


def bytes_in_use(store: EmbeddedBackplane) -> int:
    pages, free = (
        store._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count")
    )
    return int(pages - free) * 4096

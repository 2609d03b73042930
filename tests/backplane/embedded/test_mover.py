"""Turns get from the journal into the table, once each, whoever stops in between, and nothing is read without
those that are still on their way."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from tests.contract.writing import LINEAGE, Writer, a_document, eventually

from threadline.errors import StoreError
from threadline.ids import SessionId
from threadline_server.backplane.base import DocumentName, Position
from threadline_server.backplane.embedded import EmbeddedBackplane, mover
from threadline_server.backplane.embedded import store as store_module
from threadline_server.backplane.embedded.backup import back_up
from threadline_server.backplane.embedded.journal import FILE_NAMES
from threadline_server.backplane.embedded.large_turns import LARGE_BYTES
from threadline_server.backplane.embedded.reader import EmbeddedReader

TRIP = DocumentName("trip")
NEVER_S = 1_000_000.0


@pytest.fixture(autouse=True)
def _nothing_moves_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "UPKEEP_S", NEVER_S)


def in_table(store: EmbeddedBackplane) -> int:
    return int(store._connection.execute("SELECT count(*) FROM log").fetchone()[0])


def killed(store: EmbeddedBackplane, copy: Path) -> Path:
    """What `kill -9` would leave now."""
    shutil.copytree(store.directory, copy)
    return copy


async def turns_in(directory: Path, document: DocumentName = TRIP) -> list[int]:
    """The positions in a store that is started on `directory`."""
    store = EmbeddedBackplane(directory)
    await store.open()
    try:
        stored = await store.load(document)
        return [int(logged.position) for logged in stored.tail]
    finally:
        await store.close()


async def write_some(writer: Writer, count: int = 10) -> None:
    for _ in range(count):
        await writer.write()


async def write_and_move_half(store: EmbeddedBackplane) -> None:
    """Twenty turns, of which the table has ten."""
    writer = await a_document(store)
    await write_some(writer)
    await store.load(TRIP)
    await write_some(writer)
    assert in_table(store) == 10


@pytest.mark.asyncio
async def test_turns_are_durable_before_they_are_moved(store: EmbeddedBackplane, tmp_path: Path) -> None:
    writer = await a_document(store)
    await write_some(writer)
    assert (in_table(store), store.stats()["turns_to_move"]) == (0, 10)
    assert await turns_in(killed(store, tmp_path / "copy")) == list(range(1, 11))
    assert in_table(store) == 0


@pytest.mark.asyncio
async def test_who_reads_a_document_has_its_turns_moved_and_no_others(store: EmbeddedBackplane) -> None:
    trip, other = await a_document(store), await a_document(store, "other")
    for writer in (trip, other):
        await write_some(writer)
    assert len((await store.load(TRIP)).tail) == 10
    assert (in_table(store), store.stats()["turns_to_move"]) == (10, 10)
    assert len(await store.read(other.document, Position(4))) == 6
    assert (in_table(store), store.stats()["turns_to_move"]) == (20, 0)


@pytest.mark.asyncio
async def test_moving_half_and_crashing_moves_the_rest_once(store: EmbeddedBackplane, tmp_path: Path) -> None:
    await write_and_move_half(store)
    assert await turns_in(killed(store, tmp_path / "copy")) == list(range(1, 21))
    assert await turns_in(tmp_path / "copy") == list(range(1, 21))


@pytest.mark.asyncio
async def test_what_a_base_stands_for_does_not_come_back_from_the_journal(
    store: EmbeddedBackplane, tmp_path: Path
) -> None:
    writer = await a_document(store)
    await writer.write("x" * 2 * LARGE_BYTES)
    await write_some(writer)
    await store.compact(TRIP, LINEAGE, b"base", b"", Position(8))
    copy = killed(store, tmp_path / "copy")
    assert await turns_in(copy) == [9, 10, 11]
    again = EmbeddedBackplane(copy)
    await again.open()
    assert in_table(again) == 3
    assert await again.read(TRIP, Position(0)) == await store.read(TRIP, Position(0))
    await again.close()


@pytest.mark.asyncio
async def test_a_deleted_session_does_not_come_back_from_the_journal(
    store: EmbeddedBackplane, tmp_path: Path
) -> None:
    writer, other = await a_document(store), await a_document(store, "other")
    for each in (writer, other):
        await write_some(each)
    await store.delete_session(SessionId("trip"))
    copy = killed(store, tmp_path / "copy")
    assert await turns_in(copy, other.document) == list(range(1, 11))
    again = EmbeddedBackplane(copy)
    await again.open()
    assert in_table(again) == 10
    await again.close()


@pytest.mark.asyncio
async def test_nothing_of_a_deleted_session_stays_in_the_journal(
    store: EmbeddedBackplane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In neither file: it was written before the other was gone on in."""
    secret = b"what nobody is to read"
    writer = await a_document(store)

    def said() -> bool:
        return any(secret in (store.directory / name).read_bytes() for name in FILE_NAMES)

    monkeypatch.setattr(mover, "ROLL_BYTES", 1)
    await writer.write(secret.decode())
    assert said()
    await store._mover.keep_up()
    assert said()
    await store.delete_session(SessionId("trip"))
    await store._mover.keep_up()
    await store._mover.keep_up()
    assert not said()


@pytest.mark.asyncio
async def test_a_long_file_is_left_for_the_other_and_written_over(
    store: EmbeddedBackplane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mover, "ROLL_BYTES", 1_000)
    writer = await a_document(store)
    first = store._journal.generation
    for round_ in range(6):
        await write_some(writer, 20)
        copy = killed(store, tmp_path / f"{round_}")
        assert await turns_in(copy) == list(range(1, 20 * (round_ + 1) + 1))
        await store._mover.keep_up()
    assert store._journal.generation == first + 6
    assert all((store.directory / name).stat().st_size < 10_000 for name in FILE_NAMES)


@pytest.mark.asyncio
async def test_nothing_is_taken_while_too_much_waits_to_be_moved(
    store: EmbeddedBackplane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mover, "MAX_TURNS", 10)
    writer = await a_document(store)
    outcomes = [writer.begin(writer.next_turn()) for _ in range(30)]
    await eventually(lambda: bool(outcomes[0].events))
    waiting = [outcome for outcome in outcomes if not outcome.events]
    while store.stats()["turns_waiting"]:
        await store._mover.keep_up()
    for outcome in outcomes:
        assert (await outcome.end()).events == ["taken", "durable"]
    assert len((await store.load(TRIP)).tail) == 30
    assert len(waiting) < 30


@pytest.mark.asyncio
async def test_another_process_sees_what_is_not_moved(store: EmbeddedBackplane) -> None:
    writer = await a_document(store)
    reader = EmbeddedReader(store.directory)
    await reader.open()
    await writer.write("x" * 2 * LARGE_BYTES)
    await write_some(writer)
    for _ in range(2):  # nothing in the table, then a part
        assert await reader.load(TRIP) == await reader.load(TRIP)
        seen = await reader.read(TRIP, Position(0))
        assert [logged.position for logged in seen] == list(range(1, writer.clock + 1))
        await store.load(TRIP)
        await write_some(writer)
    assert (await reader.load(TRIP)).tail == (await store.load(TRIP)).tail
    await reader.close()


@pytest.mark.asyncio
async def test_a_backup_has_what_is_not_moved(store: EmbeddedBackplane, tmp_path: Path) -> None:
    await write_and_move_half(store)
    back_up(store.directory, tmp_path / "copy", time.time_ns() // 1_000_000, lambda copied, pages: None)
    assert not any((tmp_path / "copy" / name).exists() for name in FILE_NAMES)
    assert await turns_in(tmp_path / "copy") == list(range(1, 21))


@pytest.mark.asyncio
async def test_a_stop_leaves_all_in_the_table_and_no_journal(tmp_path: Path) -> None:
    directory = tmp_path / "other"
    for round_ in range(3):
        store = EmbeddedBackplane(directory)
        await store.open()
        writer = Writer(store, TRIP, clock=10 * round_) if round_ else await a_document(store)
        await store.load(TRIP)
        await write_some(writer)
        await store.close()
        assert not any((directory / name).exists() for name in FILE_NAMES)
    assert await turns_in(directory) == list(range(1, 31))


@pytest.mark.asyncio
async def test_a_journal_that_is_gone_is_damage(store: EmbeddedBackplane, tmp_path: Path) -> None:
    writer = await a_document(store)
    await write_some(writer)
    copy = killed(store, tmp_path / "copy")
    for name in FILE_NAMES:
        (copy / name).unlink()
    with pytest.raises(StoreError, match="journal"):
        await EmbeddedBackplane(copy).open()

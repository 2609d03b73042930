"""Large turns are put down in parts, while other turns get their places; no part outlives its turn."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.contract.writing import LINEAGE, Outcome, Reader, a_document, eventually

from threadline.ids import SessionId, split_document_name
from threadline_server.backplane.base import Append, LoggedTurn, Position, StaleRange, WrongLineage
from threadline_server.backplane.embedded import EmbeddedBackplane, large_turns
from threadline_server.backplane.embedded.large_turns import LARGE_BYTES, PART_BYTES, PutDown, hash_of
from threadline_server.backplane.embedded.schema import FILE_NAME
from threadline_server.backplane.turn_bytes import DamagedTurn

LARGE = "large " * (3 * PART_BYTES // 6)


def rows(store: EmbeddedBackplane, table: str) -> int:
    return int(store._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def parts(store: EmbeddedBackplane) -> tuple[int, int]:
    return rows(store, "large_turns"), rows(store, "putting")


def texts(turns: tuple[LoggedTurn, ...]) -> list[bytes]:
    return [logged.turn.entries[0].update for logged in turns]


async def nothing_is_left(store: EmbeddedBackplane) -> None:
    await eventually(lambda: parts(store) == (0, 0))


@pytest.mark.asyncio
async def test_a_large_turn_stands_in_the_log_as_where_its_parts_are(store: EmbeddedBackplane) -> None:
    writer = await a_document(store)
    await writer.write("before")
    await writer.write(LARGE)
    await writer.write("after")
    stored = await store.load(writer.document)
    assert parts(store) == (4, 0)
    lengths = store._connection.execute("SELECT length(turn) FROM log ORDER BY row").fetchall()
    assert all(length < 100 for (length,) in lengths)
    assert texts(stored.tail) == [b"before", LARGE.encode(), b"after"]
    assert texts(await store.read(writer.document, Position(1), 1)) == [LARGE.encode()]


@pytest.mark.asyncio
async def test_others_have_their_places_meanwhile_and_what_follows_it_after_it(
    store: EmbeddedBackplane,
) -> None:
    writer, other = await a_document(store), await a_document(store, "other")
    for source in (writer, other):
        await source.write()
    reader = Reader().follow(store, writer.document)
    order: list[str] = []
    pairs: list[tuple[Append, Outcome]] = []
    for source, text in ((writer, LARGE), (writer, "next"), (writer, 2 * LARGE), (other, "of another")):
        append, outcome = source.prepare(source.next_turn(text))
        append.on_taken = noting(order, outcome)
        pairs.append((append, outcome))
    store.append([append for append, _ in pairs])
    assert store.stats()["turns_waiting"] == 3
    for _, outcome in pairs:
        assert (await outcome.end()).events == ["taken", "durable"]
    assert order == ["of another", LARGE, "next", 2 * LARGE]
    assert reader.positions == [1, 2, 3, 4]


def noting(order: list[str], outcome: Outcome) -> Callable[[Append, Position], None]:
    def on_taken(append: Append, position: Position) -> None:
        order.append(append.turn.entries[0].update.decode())
        outcome.on_taken(append, position)

    return on_taken


@pytest.mark.asyncio
async def test_a_retry_succeeds_again_and_leaves_nothing(store: EmbeddedBackplane) -> None:
    writer = await a_document(store)
    turn = writer.next_turn(LARGE)
    first, again = await writer.put(turn), await writer.put(turn)
    assert (first.position, again.position) == (1, 1)
    await eventually(lambda: parts(store) == (4, 0))
    assert len((await store.load(writer.document)).tail) == 1


@pytest.mark.asyncio
async def test_a_retry_after_a_restart_is_known_too(tmp_path: Path) -> None:
    positions = []
    for _ in range(2):
        store = EmbeddedBackplane(tmp_path)
        await store.open()
        writer = await a_document(store)
        positions.append(await writer.write(LARGE))
        await store.close()
    assert positions == [1, 1]


@pytest.mark.asyncio
async def test_what_is_refused_leaves_nothing(store: EmbeddedBackplane) -> None:
    writer = await a_document(store)
    stale = await writer.put(writer.turn(LARGE, start=5))
    assert isinstance(stale.refusal, StaleRange)
    gone = writer.begin(writer.next_turn(LARGE))
    await store.delete_session(split_document_name(writer.document)[0])
    assert isinstance((await gone.end()).refusal, WrongLineage)
    await nothing_is_left(store)


@pytest.mark.asyncio
async def test_parts_go_with_their_turns(store: EmbeddedBackplane) -> None:
    writer = await a_document(store)
    for text in (LARGE, "small", LARGE, LARGE):
        await writer.write(text)
    await store.compact(writer.document, LINEAGE, b"base", b"", Position(3))
    assert parts(store) == (4, 0)
    assert texts((await store.load(writer.document)).tail) == [LARGE.encode()]
    await store.delete_session(SessionId("trip"))
    await nothing_is_left(store)


@pytest.mark.asyncio
async def test_what_a_crash_left_is_deleted_and_its_number_not_given_twice(tmp_path: Path) -> None:
    store = EmbeddedBackplane(tmp_path)
    await store.open()
    writer = await a_document(store)
    await writer.write(LARGE)
    await store.close()
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as connection:
        large_turns.begin(connection, 2)
        large_turns.put_part(connection, 2, 0, memoryview(b"of a turn that got no place"))
    store = EmbeddedBackplane(tmp_path)
    await store.open()
    assert parts(store) == (4, 0)
    writer.backplane = store
    await writer.write(2 * LARGE)
    assert texts((await store.load(writer.document)).tail) == [LARGE.encode(), 2 * LARGE.encode()]
    await store.close()


@pytest.mark.asyncio
async def test_a_part_that_cannot_be_written_is_written_later(
    store: EmbeddedBackplane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What others write waits for nothing."""
    writer, other = await a_document(store), await a_document(store, "other")
    put_part, failed = large_turns.put_part, list[int]()

    def fail(connection: sqlite3.Connection, number: int, place: int, data: memoryview) -> None:
        if place == 2 and len(failed) < 2:
            failed.append(place)
            raise sqlite3.OperationalError("database or disk is full")
        put_part(connection, number, place, data)

    monkeypatch.setattr(large_turns, "put_part", fail)
    outcome = writer.begin(writer.next_turn(LARGE))
    await eventually(lambda: bool(failed) and not store.healthy)
    assert await other.write() == 1
    assert (await outcome.end()).events == ["taken", "durable"]
    assert store.healthy
    assert len(failed) == 2
    assert texts((await store.load(writer.document)).tail) == [LARGE.encode()]


@pytest.mark.parametrize("size", [0, LARGE_BYTES - 1, LARGE_BYTES, 10 * LARGE_BYTES])
def test_a_turn_is_known_by_all_of_it(size: int) -> None:
    turn = bytes(size)
    known = {hash_of(turn)} | {hash_of(turn[:at] + b"x" + turn[at + 1 :]) for at in (0, size // 2, size - 1)}
    assert len(known) == (4 if size else 2)


def test_a_place_that_was_changed_is_damage() -> None:
    reference = PutDown(300, 1_000_000, 0).reference
    assert large_turns.is_reference(reference) and len(reference) <= large_turns.HEAD_BYTES
    assert large_turns.size_of(reference, len(reference)) == 1_000_000
    assert large_turns.numbers_in([b"\x02turn", reference]) == [300]
    with pytest.raises(DamagedTurn):
        large_turns.size_of(reference[:1], 1)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM large_turns WHERE part & 1",
        "UPDATE large_turns SET data = zeroblob(10)",
        "DELETE FROM large_turns",
    ],
)
async def test_parts_that_are_missing_are_found_out(store: EmbeddedBackplane, damage: str) -> None:
    writer = await a_document(store)
    await writer.write(LARGE)
    store._connection.execute(damage)
    with pytest.raises(DamagedTurn):
        await store.load(writer.document)

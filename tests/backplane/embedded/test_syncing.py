"""How often the store syncs: soon for whoever waits to be told, rarely where nobody does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.contract.writing import Writer, a_document, eventually, eventually_true, unawaited

from threadline.ids import SessionId
from threadline_server.backplane.base import SHED, Append, LoggedTurn, Position
from threadline_server.backplane.embedded import EmbeddedBackplane, store, syncer

NEVER_S = 1_000_000.0


def next_unawaited(writer: Writer) -> tuple[Append, list[str]]:
    append, outcome = writer.prepare(writer.next_turn())
    return unawaited(append), outcome.events


@pytest.fixture
def backplane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EmbeddedBackplane:
    """One that never syncs for a turn that nobody awaits."""
    monkeypatch.setattr(syncer, "UNAWAITED_DELAY_S", NEVER_S)
    return EmbeddedBackplane(tmp_path / "data")


@pytest_asyncio.fixture
async def writer(backplane: EmbeddedBackplane) -> AsyncIterator[Writer]:
    """Of a document that has a first turn."""
    await backplane.open()
    writer = await a_document(backplane)
    await writer.write()
    yield writer
    await backplane.close()


@pytest.mark.asyncio
async def test_nobody_waits_for_a_turn_that_somebody_awaits(
    backplane: EmbeddedBackplane, writer: Writer
) -> None:
    """What nobody awaits becomes durable with it, and else when the store closes."""
    append, first = next_unawaited(writer)
    backplane.append([append])
    syncs = backplane.stats()["syncs_total"]
    assert first == ["taken"]
    await writer.write()
    assert first == ["taken", "durable"]
    assert backplane.stats()["syncs_total"] == syncs + 1
    append, last = next_unawaited(writer)
    backplane.append([append])
    assert last == ["taken"]
    await backplane.close()
    await eventually(lambda: last == ["taken", "durable"])


@pytest.mark.asyncio
async def test_what_nobody_awaits_is_synced_too(tmp_path: Path) -> None:
    backplane = EmbeddedBackplane(tmp_path / "data")
    await backplane.open()
    writer = await a_document(backplane)
    turns = [next_unawaited(writer) for _ in range(3)]
    for append, _ in turns:
        backplane.append([append])
    await eventually(lambda: all(events == ["taken", "durable"] for _, events in turns))
    await backplane.close()


@pytest.mark.asyncio
async def test_what_was_passed_on_is_not_kept_until_it_is_durable(
    backplane: EmbeddedBackplane, writer: Writer
) -> None:
    append, events = next_unawaited(writer)
    turn, followed = append.turn, list[LoggedTurn]()
    following = backplane.follow(writer.document, Position(1), followed.append, lambda: None)
    backplane.append([append])
    assert events == ["taken"]
    assert [logged.turn for logged in followed] == [turn]
    assert append.turn is append.stored is SHED
    following.close()
    await backplane.close()
    await eventually(lambda: events == ["taken", "durable"])


@pytest.mark.asyncio
async def test_the_activity_of_a_session_that_stays_active_is_written_now_and_then_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "UPKEEP_S", 0.001)
    monkeypatch.setattr(store, "ACTIVITY_EVERY_S", NEVER_S)
    backplane = EmbeddedBackplane(tmp_path / "data")
    await backplane.open()
    writer, other = await a_document(backplane), await a_document(backplane, "other")
    await writer.write()
    first_ms = writer.turn(start=0).entries[0].at_ms

    async def is_active(session: str, since_ms: int) -> bool:
        return (await backplane.get_session(SessionId(session))).active_ms == since_ms

    await eventually_true(lambda: is_active("trip", first_ms))
    last_ms = writer.turn().entries[0].at_ms
    await writer.write()
    await other.write()
    await eventually_true(lambda: is_active("other", first_ms))
    assert await is_active("trip", first_ms)
    await backplane.close()
    again = EmbeddedBackplane(tmp_path / "data")
    await again.open()
    assert (await again.get_session(SessionId("trip"))).active_ms == last_ms
    await again.close()

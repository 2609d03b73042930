from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from threadline.errors import SessionDeleted
from threadline.ids import SessionId, uuid7
from threadline_server.backplane.base import SessionQuery, SessionRecord
from threadline_server.backplane.embedded import EmbeddedBackplane
from threadline_server.upkeep.expiry import SESSIONS_PER_ROUND, Expiry

HOUR_MS = 3_600_000
NOW_MS = 1_800_000_000_000


@pytest_asyncio.fixture
async def backplane(tmp_path: Path) -> AsyncIterator[EmbeddedBackplane]:
    backplane = EmbeddedBackplane(tmp_path)
    await backplane.open()
    yield backplane
    await backplane.close()


async def session(backplane: EmbeddedBackplane, name: str, idle_ms: int) -> SessionId:
    at = NOW_MS - idle_ms
    await backplane.create_session(SessionRecord(SessionId(name), uuid7(), "ada", at, at))
    return SessionId(name)


def expiry(backplane: EmbeddedBackplane, in_use: set[str]) -> Expiry:
    return Expiry(backplane, after_s=3600, now_ms=lambda: NOW_MS, in_use=in_use.__contains__)


@pytest.mark.asyncio
async def test_only_what_is_idle_for_long_and_not_open_goes(backplane: EmbeddedBackplane) -> None:
    old = await session(backplane, "old", HOUR_MS + 1)
    fresh = await session(backplane, "fresh", HOUR_MS - 1)
    opened = await session(backplane, "open", 9 * HOUR_MS)

    assert await expiry(backplane, {"open"}).round() == 1

    with pytest.raises(SessionDeleted):
        await backplane.get_session(old)
    left = await backplane.list_sessions(SessionQuery())
    assert {record.id for record in left.sessions} == {fresh, opened}


@pytest.mark.asyncio
async def test_a_session_that_is_open_on_another_node_stays(backplane: EmbeddedBackplane) -> None:
    """Both nodes have a round before an announced session goes; the first to take the word back deletes."""
    now_ms = [NOW_MS]
    old = await session(backplane, "old", 2 * HOUR_MS)
    opened = await session(backplane, "open-there", 2 * HOUR_MS)

    def node(in_use: set[str]) -> Expiry:
        return Expiry(
            backplane,
            after_s=3600,
            now_ms=lambda: now_ms[0],
            in_use=in_use.__contains__,
            announce_s=60,
        )

    here, there = node(set()), node({"open-there"})
    assert [await here.round(), await there.round()] == [0, 0]
    now_ms[0] += 60_000
    assert [await here.round(), await there.round()] == [1, 0]
    with pytest.raises(SessionDeleted):
        await backplane.get_session(old)
    now_ms[0] += 600_000
    assert [await here.round(), await there.round()] == [0, 0]
    assert (await backplane.get_session(opened)).id == opened


@pytest.mark.asyncio
async def test_what_was_written_since_it_was_announced_stays(backplane: EmbeddedBackplane) -> None:
    now_ms = [NOW_MS]
    name = await session(backplane, "old", 2 * HOUR_MS)
    node = Expiry(
        backplane, after_s=3600, now_ms=lambda: now_ms[0], in_use=lambda session: False, announce_s=60
    )
    assert await node.round() == 0
    now_ms[0] += 60_000
    await backplane.update_session(name, active_ms=now_ms[0])
    assert await node.round() == 0
    assert (await backplane.get_session(name)).id == name


@pytest.mark.asyncio
async def test_a_round_is_bounded(backplane: EmbeddedBackplane) -> None:
    for number in range(SESSIONS_PER_ROUND + 1):
        await session(backplane, f"old-{number}", 2 * HOUR_MS)
    chore = expiry(backplane, set())
    assert [await chore.round(), await chore.round(), await chore.round()] == [SESSIONS_PER_ROUND, 1, 0]
    assert chore.expired == SESSIONS_PER_ROUND + 1

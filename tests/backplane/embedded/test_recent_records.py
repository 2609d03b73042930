from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from threadline.ids import SessionId
from threadline_server.backplane.base import SessionRecord
from threadline_server.backplane.embedded.recent_records import RecentRecords

TRIP = SessionId("trip")
RECORD = SessionRecord(TRIP, "L1", "ada", 1, 1)


async def reading(record: SessionRecord) -> SessionRecord:
    return record


@pytest.mark.asyncio
async def test_a_row_is_kept_until_it_changes() -> None:
    recent = RecentRecords()
    assert recent.get(TRIP) is None
    assert await recent.keep(reading(RECORD)) is RECORD
    assert recent.get(TRIP) is RECORD
    recent.forget(TRIP)
    assert recent.get(TRIP) is None


@pytest.mark.asyncio
async def test_a_row_that_changes_while_it_is_read_is_not_kept() -> None:
    recent = RecentRecords()
    answer: asyncio.Future[SessionRecord] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as tasks:
        read = tasks.create_task(recent.keep(answer))
        await asyncio.sleep(0)
        recent.forget(TRIP)
        answer.set_result(RECORD)
    assert read.result() is RECORD
    assert recent.get(TRIP) is None


@pytest.mark.asyncio
async def test_the_longest_unused_leave_first() -> None:
    recent = RecentRecords(most=2)
    for name in ("a", "b"):
        await recent.keep(reading(replace(RECORD, id=SessionId(name))))
    recent.get(SessionId("a"))
    await recent.keep(reading(replace(RECORD, id=SessionId("c"))))
    assert recent.get(SessionId("a")) is not None
    assert recent.get(SessionId("b")) is None


@pytest.mark.asyncio
async def test_a_row_that_is_told_is_kept_in_the_place_of_the_former() -> None:
    recent = RecentRecords()
    later = replace(RECORD, active_ms=2)
    recent.change(later)
    assert recent.get(TRIP) is None  # nobody asked for it
    await recent.keep(reading(RECORD))
    recent.change(later)
    assert recent.get(TRIP) is later

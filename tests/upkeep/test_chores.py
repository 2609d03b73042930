"""Keys that expire, logs that a crash left long, runs that nobody executes: a part in each round."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path

import pytest
from tests.rooms.houses import House, until
from tests.runs.offices import SESSION, Office, an_office, saying, scripted

from threadline.actors import Actor, Role
from threadline.document.intents import RunIntent
from threadline.document.lifecycle import RunStatus
from threadline.document.session_document import SessionDocument
from threadline.ids import SessionId, UserId, new_entry_id
from threadline_server.backplane.base import DocumentName
from threadline_server.backplane.embedded.schema import FILE_NAME
from threadline_server.rooms.options import RoomOptions
from threadline_server.rooms.registry import Rooms
from threadline_server.rooms.stamper import SERVER
from threadline_server.runs.abandoned import AbandonedRuns
from threadline_server.runs.options import RunOptions
from threadline_server.upkeep.expiring_keys import ExpiringKeys
from threadline_server.upkeep.long_tails import LongTails

ADA = Actor(UserId("ada"), Role.EDITOR)
DAY_MS = 86_400_000
NOW_MS = 1_800_000_000_000


async def write(rooms: Rooms, session: str, turns: int = 1, **values: tuple[object, int | None]) -> None:
    async with rooms.replica(DocumentName(session), ADA) as replica:
        for number in range(1, turns + 1):
            with replica.edit() as doc:
                state = SessionDocument(doc).state
                for key, (value, expires_at_ms) in values.items():
                    state.set(key, value, expires_at_ms=expires_at_ms)
                state.set("turn", number)
            await replica.saved()


def state_of(rooms: Rooms, session: str) -> dict[str, object]:
    room = rooms.get(DocumentName(session))
    assert room is not None
    return dict(SessionDocument(room.document()).state.to_dict())


@pytest.mark.asyncio
async def test_expired_keys_leave_the_document_once_on_whichever_node(tmp_path: Path) -> None:
    now_ms = [NOW_MS]
    async with House(tmp_path) as house:
        await house.create("trip")
        await house.create("rome")
        await write(house.rooms, "rome")
        await write(house.rooms, "trip", code=({"digits": [1, 2]}, NOW_MS + 10), name=("Ada", None))
        here, there = (ExpiringKeys(rooms, lambda: now_ms[0]) for rooms in (house.rooms, house.other))
        await house.other_room()
        assert await here.round() == 0
        now_ms[0] += 10
        assert await here.round() == 1
        left = {"name": "Ada", "turn": 1}
        await until(lambda: state_of(house.rooms, "trip") == state_of(house.other, "trip") == left)
        assert [await here.round(), await there.round()] == [0, 0]


@pytest.mark.asyncio
async def test_two_nodes_that_remove_the_same_key_at_once_agree(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.create("trip")
        await write(house.rooms, "trip", code=("1234", NOW_MS - 1), name=("Ada", None))
        await house.other_room()
        nodes = [ExpiringKeys(rooms, lambda: NOW_MS) for rooms in (house.rooms, house.other)]
        await asyncio.gather(*(node.round() for node in nodes))
        left = {"name": "Ada", "turn": 1}
        await until(lambda: state_of(house.rooms, "trip") == state_of(house.other, "trip") == left)


@pytest.mark.asyncio
async def test_a_key_that_was_set_anew_stays(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.create("trip")
        await write(house.rooms, "trip", code=("old", NOW_MS - 1))
        await write(house.rooms, "trip", code=("new", None))
        assert await ExpiringKeys(house.rooms, lambda: NOW_MS).round() == 0
        assert state_of(house.rooms, "trip")["code"] == "new"


@pytest.mark.asyncio
async def test_logs_that_were_left_long_are_shortened(tmp_path: Path) -> None:
    options = RoomOptions(compact_on_unload_turns=10, compact_turns=1000)
    async with House(tmp_path, options) as house:
        for session, turns in (("long", 12), ("short", 3)):
            await house.create(session)
            await write(house.rooms, session, turns)
            await house.backplane.update_session(SessionId(session), active_ms=NOW_MS)
        tails = LongTails(house.backplane, house.other, since_s=3600, now_ms=lambda: NOW_MS)
        assert await tails.round() == 1
        assert tails.through
        house.now_s += options.grace_s + 1
        await house.other.sweep()
        await until(lambda: house.other.host.counts.compactions == 1)
        stored = await house.backplane.load(DocumentName("long"))
        assert (stored.base is not None, len(stored.tail)) == (True, 0)
        assert await tails.round() == 0


@pytest.mark.asyncio
async def test_a_damaged_session_does_not_hide_the_others(tmp_path: Path) -> None:
    options = RoomOptions(compact_on_unload_turns=10, compact_turns=1000)
    async with House(tmp_path, options) as house:
        for session in ("damaged", "long"):
            await house.create(session)
            await write(house.rooms, session, 12)
            await house.backplane.update_session(SessionId(session), active_ms=NOW_MS)
            await house.backplane.load(DocumentName(session))  # moved to where it is damaged
        connection = sqlite3.connect(tmp_path / FILE_NAME, timeout=10)
        damaged = "SELECT id FROM documents WHERE name = 'damaged'"
        connection.execute(f"UPDATE log SET turn = x'00' WHERE row >> 32 IN ({damaged})")
        connection.commit()
        connection.close()
        tails = LongTails(house.backplane, house.other, since_s=3600, now_ms=lambda: NOW_MS)
        assert await tails.round() == 1
        assert house.other.get(DocumentName("long")) is not None


@pytest.mark.asyncio
async def test_runs_without_a_worker_end_after_a_while(tmp_path: Path) -> None:
    options = RunOptions(abandon_runs_after_s=3600, lease_ttl_s=5)
    async with an_office(tmp_path) as office, office.person("ada") as ada:
        async with office.working(scripted(saying("Hello"))):
            done = ada.ask("Hello?")
            await ada.until_over(done)
        now_ms = [time.time_ns() // 1_000_000]
        run = await queued_for_nobody(office, now_ms[0])
        abandoned = AbandonedRuns(office.backplane, office.rooms, options, lambda: now_ms[0])
        assert await abandoned.round() == 0
        now_ms[0] += 3_700_000
        assert await abandoned.round() == 1
        ended = await ada.until_over(run)
        assert (ended.status, ended.error and ended.error.code) == (RunStatus.TIMEOUT, "no_worker")
        assert ada.run(done).status is RunStatus.COMPLETED
        assert (await office.backplane.get_session(SESSION)).status == "timeout"
        assert await abandoned.round() == 0


@pytest.mark.asyncio
async def test_a_run_that_a_worker_holds_is_left_to_it(tmp_path: Path) -> None:
    options = RunOptions(abandon_runs_after_s=3600)
    async with an_office(tmp_path) as office:
        now_ms = time.time_ns() // 1_000_000
        await queued_for_nobody(office, now_ms)
        lease = await office.backplane.acquire_lease(SESSION, "a worker", 60_000)
        assert lease is not None
        later_ms = now_ms + 3_700_000
        assert await AbandonedRuns(office.backplane, office.rooms, options, lambda: later_ms).round() == 0


async def queued_for_nobody(office: Office, at_ms: int) -> str:
    """A run that was decided by a worker which is gone, for an agent that nobody serves."""
    intent = RunIntent(id=new_entry_id("ada"), device="test", at=at_ms)
    async with office.rooms.replica(DocumentName(SESSION), SERVER) as replica:
        with replica.edit() as doc:
            SessionDocument(doc).runs.create(intent, at=at_ms, agent="gone")
        await replica.saved()
    await office.backplane.update_session(SESSION, status="queued", active_ms=at_ms)
    return intent.id

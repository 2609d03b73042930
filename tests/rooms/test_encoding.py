"""The base of a large document is made in a child process, and what is written meanwhile is not in it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from tests.rooms.devices import Device, assert_converged
from tests.rooms.forged import section, string, update
from tests.rooms.houses import TRIP, House, until

from threadline_server.background import NICE
from threadline_server.rooms import encoding
from threadline_server.rooms.encoding import EncodingFailed, encode_in_child
from threadline_server.rooms.options import RoomOptions
from threadline_server.rooms.registry import Rooms
from threadline_server.rooms.replica import Replica

pytestmark = pytest.mark.skipif(not encoding.POSSIBLE, reason="this system has no memory without a name")

HERS = 77
TEXT = "ä😀x" * 5_000
OPTIONS = RoomOptions(compact_bytes=30_000)


@pytest.fixture
def large_from_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "LARGE_BYTES", 10_000)


class Held:
    """Stands in for the child, which it has work once `go_on` is called."""

    def __init__(self) -> None:
        self.begun = 0
        self._may = threading.Event()

    def __call__(self, updates: Sequence[bytes]) -> tuple[bytes, bytes]:
        self.begun += 1
        assert self._may.wait(20)
        return encode_in_child(updates)

    def go_on(self) -> None:
        self._may.set()


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    held = Held()
    monkeypatch.setattr(encoding, "encode_in_child", held)
    yield held
    held.go_on()


def paste(device: Device, client: int = HERS) -> None:
    device.doc.apply_update(update(section(client, 0, string(TEXT, parent="pasted"))))
    device.sync()


def whole(updates: Sequence[bytes]) -> bytes:
    replica = Replica()
    replica.integrate(updates)
    return replica.encode()


@pytest.mark.parametrize("count", [0, 1, 100])
def test_a_child_makes_of_updates_what_this_process_would(count: int) -> None:
    updates = [update(section(HERS, clock, string("x", parent=f"{clock}"))) for clock in range(count)]
    updates.append(update(section(HERS + 1, 0, string(TEXT, parent="pasted"))))
    assert encode_in_child(updates)[0] == whole(updates)


def test_a_child_lets_everybody_else_have_the_processor() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, text=True) as child:
        encoding.stand_back(child.pid)
        assert os.getpriority(os.PRIO_PROCESS, child.pid) == NICE
        assert os.sched_getscheduler(child.pid) == os.SCHED_IDLE
        encoding.bring_forward(child.pid)
        assert os.sched_getscheduler(child.pid) == os.SCHED_OTHER
        child.communicate("\n")
    encoding.stand_back(child.pid)
    encoding.bring_forward(child.pid)


def test_a_child_that_gets_no_processor_is_brought_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    forward: list[int] = []
    monkeypatch.setattr(encoding, "_STANDS_BACK_S", 0.001)
    monkeypatch.setattr(encoding, "bring_forward", forward.append)
    assert encode_in_child([])[0] == whole([])
    assert len(forward) == 1


def test_a_child_that_fails_says_why() -> None:
    with pytest.raises(EncodingFailed, match="could not be read"):
        encode_in_child([b"\x01\xff"])


def test_a_child_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "_STANDS_BACK_S", 0.001)
    monkeypatch.setattr(encoding, "_TIMEOUT_S", 0.001)
    with pytest.raises(EncodingFailed, match="took over"):
        encode_in_child([])


def test_no_process_is_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere")
    with pytest.raises(EncodingFailed, match="No process"):
        encode_in_child([])


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House(tmp_path, OPTIONS) as house:
        yield house


@pytest.mark.asyncio
@pytest.mark.usefixtures("large_from_here")
async def test_what_comes_while_a_base_is_made_follows_it(house: House, child: Held) -> None:
    room = await house.room()
    eve = Device("eve").join(room)
    paste(eve)
    await until(lambda: child.begun == 1)
    through = room.position
    eve.say("written meanwhile")
    await until(lambda: eve.unsaved == 0 and room.log.settled)
    early = Device("early").join(room)
    assert not room.is_idle(house.now_s + 1e9)
    child.go_on()
    await until(lambda: room.host.counts.compactions == 1 and not room.compacting)
    stored = await house.backplane.load(TRIP)
    assert stored.base_position == through < stored.position
    late, loaded = Device("late").join(room), await house.other_room()
    assert_converged(eve, early, late, Device("elsewhere").join(loaded))
    assert loaded.log.gate.dump() == room.log.gate.dump()
    assert room.log.base_bytes == len(stored.base or b"")


@pytest.mark.asyncio
@pytest.mark.usefixtures("large_from_here")
async def test_a_large_document_that_is_put_away_leaves_a_base(house: House, child: Held) -> None:
    room = await house.room()
    eve = Device("eve").join(room)
    paste(eve)
    child.go_on()
    await until(lambda: room.host.counts.compactions == 1 and eve.unsaved == 0)
    for number in range(room.host.options.compact_on_unload_turns):
        eve.say(f"message {number}")
        await until(lambda: eve.unsaved == 0)
    eve.leave()
    await house.unload(room)
    await until(lambda: room.host.counts.compactions == 2)
    assert not (await house.backplane.load(TRIP)).tail
    assert_converged(eve, Device("late").join(await house.room()))


@pytest.mark.asyncio
@pytest.mark.usefixtures("large_from_here")
async def test_a_base_that_failed_is_made_later(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(updates: Sequence[bytes]) -> tuple[bytes, bytes]:
        raise EncodingFailed("The child died.")

    room = await house.room()
    counts = room.host.counts
    eve = Device("eve").join(room)
    with monkeypatch.context() as failing:
        failing.setattr(encoding, "encode_in_child", fail)
        paste(eve)
        await until(lambda: counts.compaction_failures == 1)
    assert any("The child died." in report for report in house.reports)
    house.reports.clear()
    assert not room.compacting
    paste(eve, HERS + 1)
    await until(lambda: counts.compactions == 1)
    assert_converged(eve, Device("late").join(room))


@pytest.mark.asyncio
async def test_a_tail_that_became_long_at_a_bad_moment_is_seen_in_the_next_round(house: House) -> None:
    room = await house.room()
    eve = Device("eve").join(room)
    room.compacting = True
    paste(eve)
    await until(lambda: eve.unsaved == 0 and room.log.settled)
    room.compacting = False
    await house.rooms.sweep()
    await until(lambda: room.host.counts.compactions == 1)


@pytest.mark.asyncio
@pytest.mark.usefixtures("large_from_here")
async def test_another_node_may_have_been_quicker(house: House, child: Held) -> None:
    room, ahead = await house.room(), await house.other_room()
    eve = Device("eve").join(room)
    paste(eve)
    await until(lambda: child.begun > 0 and eve.unsaved == 0)
    eve.say("later")
    await until(lambda: eve.unsaved == 0 and ahead.position == room.position)
    await house.backplane.compact(TRIP, ahead.lineage, ahead.log.replica.encode(), b"", ahead.position)
    child.go_on()
    await until(lambda: not room.compacting)
    stored = await house.backplane.load(TRIP)
    assert stored.base_position == ahead.position
    assert_converged(eve, Device("late").join(await house.room()))


@pytest.mark.asyncio
@pytest.mark.usefixtures("large_from_here")
async def test_a_node_that_stops_waits_for_the_child(house: House, child: Held) -> None:
    await house.create()
    rooms = Rooms(house.backplane, OPTIONS)
    async with rooms:
        eve = Device("eve").join(await rooms.open(TRIP))
        paste(eve)
        await until(lambda: child.begun == 1)
        asyncio.get_running_loop().call_later(0.01, child.go_on)
    assert (await house.backplane.load(TRIP)).base is not None

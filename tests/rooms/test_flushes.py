"""What came of work in line is flushed in line, behind what is flushed at the end of the loop turn."""

from __future__ import annotations

import asyncio
import threading
from time import perf_counter_ns

import pytest
from tests.rooms.devices import Device
from tests.rooms.houses import House, until

from threadline_server.backplane.base import Append, DocumentName
from threadline_server.rooms.flush_pace import REST_S
from threadline_server.rooms.turns import FOR_EVER

A_MINUTE_NS = 60_000_000_000


class InLine:
    """Types into a device when it has its turn."""

    def __init__(self, device: Device) -> None:
        self.device = device

    def take_turn(self, until_ns: int) -> bool:
        self.device.say("from the line")
        return False


@pytest.fixture
def appended(house: House, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The documents of each call of the log."""
    calls: list[list[str]] = []
    append = house.backplane.append

    def noting(appends: list[Append]) -> None:
        calls.append([each.document for each in appends])
        append(appends)

    monkeypatch.setattr(house.backplane, "append", noting)
    return calls


async def devices(house: House, *sessions: str) -> list[Device]:
    for session in sessions:
        await house.create(session)
    return [Device().join(await house.rooms.open(DocumentName(session))) for session in sessions]


@pytest.mark.asyncio
async def test_the_line_waits_for_who_is_not_in_it(house: House, appended: list[list[str]]) -> None:
    first, second, quick = await devices(house, "first", "second", "quick")
    turns = house.rooms.host.turns
    turns.wait(InLine(first))
    turns.wait(InLine(second))
    turns.wait(InLine(first))
    quick.say("not from the line")
    await until(lambda: first.unsaved == second.unsaved == quick.unsaved == 0)
    assert appended == [["quick"], ["first"], ["second"]]


@pytest.mark.asyncio
async def test_a_room_is_not_late_for_one_of_its_members(house: House, appended: list[list[str]]) -> None:
    heavy, other = await devices(house, "shared", "other")
    room = await house.rooms.open(DocumentName("shared"))
    light = Device().join(room)
    turns = house.rooms.host.turns
    turns.slice_ns = turns.long_slice_ns = A_MINUTE_NS  # both have their turns in one, however slow this is
    turns.wait(InLine(other))
    turns.wait(InLine(heavy))
    await asyncio.sleep(0)  # they have their turns, their flush has not
    light.say("at once")
    turns.note(turns.account_of("bob"), 1_000)
    await until(lambda: light.unsaved == heavy.unsaved == other.unsaved == 0)
    assert appended == [["shared"], ["other"]]


@pytest.mark.asyncio
async def test_the_end_flushes_what_is_in_line(house: House, appended: list[list[str]]) -> None:
    [heavy] = await devices(house, "shared")
    turns = house.rooms.host.turns
    turns.wait(InLine(heavy))
    await asyncio.sleep(0)  # they have their turns, their flush has not
    house.rooms.flush()
    assert appended == [["shared"]]
    await until(lambda: heavy.unsaved == 0)


@pytest.mark.asyncio
async def test_what_was_made_of_one_socket_waits_a_millisecond_for_the_others(
    house: House, appended: list[list[str]]
) -> None:
    first, second = await devices(house, "first", "second")
    turns = house.rooms.host.turns
    began_ns = perf_counter_ns()
    first.say("read first")
    turns.flush_late(began_ns)
    second.say("read soon after")
    turns.flush_late(began_ns + 500_000)
    assert appended == []
    turns.flush_late(perf_counter_ns() + 1_000_000)
    assert appended == [["first", "second"]]
    turns.flush_late(FOR_EVER)
    assert len(appended) == 1  # nothing more is there
    first.say("read much later")
    await until(lambda: first.unsaved == second.unsaved == 0)
    assert appended == [["first", "second"], ["first"]]


@pytest.mark.asyncio
async def test_a_loop_that_is_to_rest_does_when_nothing_is_left(
    house: House, appended: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[tuple[float, int]] = []

    def note(seconds: float) -> None:
        if threading.current_thread() is threading.main_thread():
            rests.append((seconds, len(appended)))

    monkeypatch.setattr("time.sleep", note)
    first, second = await devices(house, "first", "second")
    house.rooms._flushes._pace.rests = True
    first.say("a")
    asyncio.get_running_loop().call_soon(second.say, "b")  # after the flush of the first, before the rest
    await until(lambda: bool(rests))
    assert rests[0] == (REST_S, 2)


async def written_to(house: House, *sessions: str) -> list[Device]:
    """The log knows these sessions, so it takes their turns at once."""
    found = await devices(house, *sessions)
    for device in found:
        device.say("the first message")
    await until(lambda: all(device.unsaved == 0 for device in found))
    return found


@pytest.mark.asyncio
@pytest.mark.parametrize("acknowledged", [True, False])
async def test_turns_whose_senders_wait_for_an_acknowledgement_are_no_reason_to_rest(
    house: House, acknowledged: bool
) -> None:
    for device in await written_to(house, *[f"session{number}" for number in range(40)]):
        device.encoder.acknowledges = acknowledged
        device.say("all at once")
    house.rooms.flush()
    assert house.rooms._flushes._pace._turns == (0 if acknowledged else 40)


@pytest.mark.asyncio
async def test_turns_that_the_log_has_not_taken_yet_are_no_reason_to_rest(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    [phone] = await written_to(house, "first")
    phone.encoder.acknowledges = False
    held: list[Append] = []
    with monkeypatch.context() as patch:
        patch.setattr(house.backplane, "append", held.extend)
        phone.say("over the network")
        house.rooms.flush()
    pace = house.rooms._flushes._pace
    assert (len(held), pace._turns) == (1, 0)
    house.backplane.append(held)
    phone.say("at hand")
    house.rooms.flush()
    assert pace._turns == 1

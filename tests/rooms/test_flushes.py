"""What came of work in line is flushed in line, behind what is flushed at the end of the loop turn."""

from __future__ import annotations

import asyncio

import pytest
from tests.rooms.devices import Device
from tests.rooms.houses import House, until

from threadline_server.backplane.base import Append, DocumentName


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

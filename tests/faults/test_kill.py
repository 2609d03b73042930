"""`kill -9` of the server under load: what was acknowledged is there afterwards, and writers converge."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.faults.writers import Writer
from tests.raw_device import raw_device, until_equal
from tests.server_process import MODULE, ServerProcess

WRITERS = 5
KILLS_A_SESSION = 20
"""Its document grows all the time, and is read whole by six devices after each kill."""

EARLY_ACKNOWLEDGEMENT = (str(Path(__file__).with_name("early_acknowledgement.py")),)


@dataclass(slots=True)
class Toll:
    """in_flight: kills while an update was on its way, sent and not acknowledged.
    in_between: kills between the append and its acknowledgement: the update is there, unpromised.
    """

    kills: int = 0
    in_flight: int = 0
    in_between: int = 0
    acknowledged: int = 0
    lost: int = 0

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.in_flight} with an append in flight ({self.in_between} of them "
            f"between the append and its acknowledgement); {self.acknowledged} updates acknowledged, "
            f"{self.lost} of them lost"
        )


async def kill_under_load(data: Path, kills: int, program: Sequence[str] = MODULE) -> Toll:
    chance = random.Random(kills)
    toll = Toll()
    server = ServerProcess(data, program=program)
    crews = [_writers_of(f"under-load-{first}") for first in range(0, kills, KILLS_A_SESSION)]
    await server.start()
    try:
        for kill in range(kills):
            writers = crews[kill // KILLS_A_SESSION]
            await _load_and_kill(server, writers, chance, toll)
            await server.start()
            there = await _keys(server, writers[0])
            toll.lost += _lost(writers, there)
            toll.in_between += any(writer.unpromised & there for writer in writers)
            if toll.lost:
                break
            await _converge(server, writers)
        else:
            for writers in crews:
                toll.lost += _lost(writers, await _keys(server, writers[0]))
    finally:
        if server.alive:
            await server.kill()
    toll.acknowledged = sum(len(writer.promised) for writers in crews for writer in writers)
    return toll


def _writers_of(session: str) -> list[Writer]:
    return [Writer(session, f"writer-{number}") for number in range(WRITERS)]


async def _load_and_kill(
    server: ServerProcess, writers: Sequence[Writer], chance: random.Random, toll: Toll
) -> None:
    async with asyncio.TaskGroup() as group:
        for writer in writers:
            await writer.join(server.url)
            group.create_task(writer.write_until_cut())
        victim = writers[0].device
        enough = victim.acknowledged + chance.randint(5, 60)
        await victim.until(lambda: victim.acknowledged >= enough, "the load was under way")
        toll.kills += 1
        toll.in_flight += any(writer.in_flight for writer in writers)
        await server.kill()
    for writer in writers:
        await writer.device.leave()


async def _keys(server: ServerProcess, writer: Writer) -> set[str]:
    """All that is in the session of `writer`."""
    async with raw_device(server.url, writer.device.session, "auditor") as auditor:
        return set(auditor.state)


def _lost(writers: Sequence[Writer], there: set[str]) -> int:
    return sum(len(writer.promised - there) for writer in writers)


async def _converge(server: ServerProcess, writers: Sequence[Writer]) -> None:
    """The writers bring what was not promised to them, and all hold the same in the end."""
    for writer in writers:
        await writer.join(server.url)
    for writer in writers:
        await writer.device.until_saved()
    await until_equal(*(writer.device for writer in writers))
    expected = {key for writer in writers for _, key in writer.ledger.writes}
    assert expected <= set(writers[0].device.state)
    for writer in writers:
        await writer.device.leave()


@pytest.mark.asyncio
async def test_no_acknowledged_update_is_lost(
    tmp_path: Path, kills: int, figures: Callable[[str], None]
) -> None:
    toll = await kill_under_load(tmp_path / "data", kills)
    figures(f"kill -9 under load from {WRITERS} writers: {toll}")
    assert toll.lost == 0
    assert toll.in_flight > 0


@pytest.mark.asyncio
async def test_the_test_turns_red_when_the_server_acknowledges_before_the_append(
    tmp_path: Path, figures: Callable[[str], None]
) -> None:
    toll = await kill_under_load(tmp_path / "data", 10, EARLY_ACKNOWLEDGEMENT)
    figures(f"the same with acknowledgements before the append: {toll}")
    assert toll.lost > 0

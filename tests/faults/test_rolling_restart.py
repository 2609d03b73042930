"""Nodes are restarted one after the other while devices write: nothing is lost, and nobody waits for long."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import pytest
from tests.faults.deployment import Place, deployment
from tests.faults.roaming import Roamer
from tests.waiting import until

NODES = 2
DEVICES = 4
PATIENCE_S = 60.0
PAUSE_P99_S = 1.0

pytestmark = pytest.mark.redis


@dataclass(frozen=True, slots=True)
class Size:
    """restarts: how often every node is restarted"""

    sessions: int
    restarts: int


SHORT = Size(sessions=10, restarts=1)
FULL = Size(sessions=50, restarts=10)


async def _restart(place: Place, roamers: Sequence[Roamer]) -> int:
    """As a load balancer and an operator do it; the exit code of the node that stopped."""
    place.faulty = True
    code = await place.process.stop()
    await place.process.start()
    place.faulty = False
    await _until(lambda: _all_in(roamers), "all came back")
    return code


def _all_in(roamers: Sequence[Roamer]) -> bool:
    return all(roamer.raw.synced and roamer.raw.close_code is None for roamer in roamers)


async def _until(condition: Callable[[], bool], what: str) -> None:
    """Many devices: asking at each frame would cost more than it tells."""
    await until(condition, what, patience_s=PATIENCE_S, every_s=0.05)


def _equal(roamers: Sequence[Roamer], session: str) -> bool:
    return len({roamer.raw.digest() for roamer in roamers if roamer.raw.session == session}) == 1


@pytest.mark.asyncio
async def test_rolling_restarts_lose_nothing(full: bool, figures: Callable[[str], None]) -> None:
    size, chance = FULL if full else SHORT, random.Random()
    codes: list[int] = []
    async with deployment(NODES, chance=chance) as there, asyncio.TaskGroup() as lives:
        roamers = [
            Roamer(f"session-{n}", f"user-{n}-{m}", lambda: there.sound_url(chance), chance)
            for n in range(size.sessions)
            for m in range(DEVICES)
        ]
        for roamer in roamers:
            lives.create_task(roamer.live())
        await _until(lambda: _all_in(roamers), "every device is in")
        for _ in range(size.restarts):
            codes += [await _restart(place, roamers) for place in there.nodes]
        for roamer in roamers:
            roamer.stop_writing()
        await _until(lambda: all(roamer.settled for roamer in roamers), "all was acknowledged")
        for session in sorted({roamer.raw.session for roamer in roamers}):
            await _until(partial(_equal, roamers, session), f"{session} is equal")
        for roamer in roamers:
            roamer.stop()
    pauses = sorted(pause for roamer in roamers for pause in roamer.pauses_s)
    p99_s = pauses[int(len(pauses) * 0.99)]
    updates = sum(len(roamer.ledger.writes) for roamer in roamers)
    lost = sum(len({key for _, key in r.ledger.writes} - set(r.raw.state)) for r in roamers)
    figures(
        f"{size.restarts} rolling restarts of {NODES} nodes under {len(roamers)} devices: "
        f"{updates} updates, {lost} lost; pause p50 {pauses[len(pauses) // 2]:.2f} s, "
        f"p99 {p99_s:.2f} s, longest {pauses[-1]:.2f} s"
    )
    assert set(codes) == {0}
    assert lost == 0
    assert len(pauses) >= len(roamers)
    assert all(roamer.refusals == [] for roamer in roamers)
    assert not full or p99_s <= PAUSE_P99_S

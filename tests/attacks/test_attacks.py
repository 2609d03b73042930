"""Every attack through a real socket: none has an effect, and two bystanders go on as if nothing happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from tests.attacks.attacker import ATTACKS
from tests.attacks.conftest import Siege
from tests.attacks.latency import Latency, latency_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLOWER_AT_MOST = 3.0
TRIES = 3


@dataclass(frozen=True, slots=True)
class Size:
    rounds: int
    seconds: float
    side_by_side: int
    calm_updates: int
    most: int


SHORT = Size(rounds=1, seconds=0.0, side_by_side=1, calm_updates=5, most=2_000)
FULL = Size(rounds=4, seconds=5.0, side_by_side=4, calm_updates=300, most=40_000)


async def besieged(siege: Siege, name: str, size: Size) -> Latency:
    """What the bystanders' updates took during one attack, which has no effect."""
    pair = siege.bystanders
    await pair.appear()
    async with pair.typing() as took_s:
        toll = await siege.attackers.attack(
            name,
            pair.mark(size.most),
            rounds=size.rounds,
            seconds=size.seconds,
            side_by_side=size.side_by_side,
        )
        await pair.type()
    assert siege.server.alive, "\n".join(siege.server.output)
    assert (toll.successes, toll.failures) == ([], [])
    await pair.assert_untouched()
    return latency_of(took_s)


@pytest.mark.parametrize("name", ATTACKS)
async def test_an_attack_has_no_effect(
    siege: Siege, name: str, full: bool, figures: Callable[[str], None]
) -> None:
    """At full length also on time: it may take three tries, since other programs run on the machine too."""
    size = FULL if full else SHORT
    ratio = 0.0
    for _ in range(TRIES if full else 1):
        calm = await siege.bystanders.measure(size.calm_updates)
        during = await besieged(siege, name, size)
        ratio = during.p99 / calm.p99
        figures(f"{name}: calm {calm}; attacked {during}; p99 x{ratio:.2f}")
        if ratio <= SLOWER_AT_MOST:
            break
    assert not full or ratio <= SLOWER_AT_MOST

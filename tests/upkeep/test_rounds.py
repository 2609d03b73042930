from __future__ import annotations

import asyncio

import pytest

from threadline.errors import StoreError
from threadline_server.telemetry.metrics import Labelled
from threadline_server.upkeep.rounds import Rounds, Seldom


@pytest.mark.asyncio
async def test_a_chore_that_fails_for_the_stores_sake_does_not_stop_the_others() -> None:
    done: list[str] = []

    async def away() -> None:
        raise StoreError("the store is away")

    async def sweep() -> int:
        done.append("sweep")
        return 5

    rounds = Rounds({"away": away, "sweep": sweep}, every_s=1)
    await rounds.round()
    await rounds.round()
    assert done == ["sweep", "sweep"]
    stats = rounds.stats()
    assert (stats["rounds_total"], stats["failures_total"]) == (2, 2)
    assert stats["done_total"] == Labelled("chore", {"away": 0, "sweep": 10})
    assert stats["chore_failures_total"] == Labelled("chore", {"away": 2, "sweep": 0})


@pytest.mark.asyncio
async def test_a_chore_that_takes_too_long_is_put_off() -> None:
    async def for_ever() -> None:
        await asyncio.Event().wait()

    rounds = Rounds({"slow": for_ever}, every_s=1, longest_chore_s=0.001)
    await rounds.round()
    assert rounds.failures == {"slow": 1}


@pytest.mark.asyncio
async def test_rounds_go_on_until_cancelled() -> None:
    third = asyncio.Event()

    async def count() -> None:
        if rounds.rounds == 2:
            third.set()

    rounds = Rounds({"count": count}, every_s=0.001)
    task = asyncio.create_task(rounds.run())
    await asyncio.wait_for(third.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.asyncio
async def test_a_seldom_chore_is_done_in_one_round_of_many() -> None:
    done = []

    async def chore() -> int:
        done.append(1)
        return 5

    seldom = Seldom(chore, 3)
    assert [await seldom.round() for _ in range(7)] == [0, 0, 5, 0, 0, 5, 0]
    assert len(done) == 2

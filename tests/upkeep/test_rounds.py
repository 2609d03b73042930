from __future__ import annotations

import asyncio

import pytest

from threadline.errors import StoreError
from threadline_server.upkeep.rounds import Rounds


@pytest.mark.asyncio
async def test_a_chore_that_fails_for_the_stores_sake_does_not_stop_the_others() -> None:
    done: list[str] = []

    async def away() -> None:
        raise StoreError("the store is away")

    async def sweep() -> None:
        done.append("sweep")

    rounds = Rounds({"away": away, "sweep": sweep}, every_s=1)
    await rounds.round()
    await rounds.round()
    assert done == ["sweep", "sweep"]
    assert rounds.stats() == {"rounds_total": 2, "failures_total": 2}


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

"""The cycle collector: old objects are looked at once, and everything now and then."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator
from contextlib import suppress

import pytest

from threadline_server.cli import garbage


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


class Cycle:
    def __init__(self) -> None:
        self.itself = self


def gone(cycle: weakref.ref[Cycle]) -> bool:
    return cycle() is None


def test_the_old_is_not_looked_at_by_itself() -> None:
    garbage.begin()
    young, rounds, old = gc.get_threshold()
    assert (young, rounds) == garbage.YOUNG
    assert old > 1_000_000


def test_what_came_since_the_last_look_is_looked_at() -> None:
    garbage.begin()
    cycle = weakref.ref(Cycle())
    garbage.look(everything=False)
    assert gone(cycle)
    assert gc.get_count()[2] == 0 and gc.get_freeze_count() > 0


def test_what_was_seen_once_waits_for_a_look_at_everything() -> None:
    kept = Cycle()
    cycle = weakref.ref(kept)
    garbage.begin()
    del kept
    garbage.look(everything=False)
    assert not gone(cycle)
    garbage.look(everything=True)
    assert gone(cycle)


@pytest.mark.asyncio
async def test_every_so_often_it_is_everything() -> None:
    looks: list[bool] = []
    enough = asyncio.Event()

    def noting(*, everything: bool) -> None:
        looks.append(everything)
        if len(looks) == 2 * garbage.ALL_EVERY:
            enough.set()

    looking = asyncio.create_task(garbage.look_now_and_then(0, noting))
    await enough.wait()
    looking.cancel()
    with suppress(asyncio.CancelledError):
        await looking
    every = garbage.ALL_EVERY
    assert [at + 1 for at, everything in enumerate(looks) if everything] == [every, 2 * every]

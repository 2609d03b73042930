"""The cycle collector: what outlived two looks is left alone, and everything is looked at now and then."""

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
    gc.callbacks[:] = [call for call in gc.callbacks if call is not garbage._leave_alone]
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


def test_what_outlived_two_looks_waits_for_a_look_at_everything() -> None:
    garbage.begin()
    kept = Cycle()
    cycle = weakref.ref(kept)
    gc.collect(0)
    gc.collect(1)
    del kept
    gc.collect()
    assert not gone(cycle)
    garbage.look_at_all()
    assert gone(cycle)


def test_what_is_over_by_the_second_look_is_found_by_it() -> None:
    garbage.begin()
    kept = Cycle()
    cycle = weakref.ref(kept)
    gc.collect(0)
    del kept
    gc.collect(1)
    assert gone(cycle)


def test_it_is_begun_once() -> None:
    garbage.begin()
    garbage.begin()
    assert gc.callbacks.count(garbage._leave_alone) == 1


@pytest.mark.asyncio
async def test_everything_is_looked_at_again_and_again() -> None:
    looks = asyncio.Semaphore(0)
    looking = asyncio.create_task(garbage.look_now_and_then(0, looks.release))
    for _ in range(3):
        await looks.acquire()
    looking.cancel()
    with suppress(asyncio.CancelledError):
        await looking

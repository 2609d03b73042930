"""What a run leaves behind in memory: nothing."""

from __future__ import annotations

import gc

import pytest
from pycrdt import Doc
from tests.runs.offices import Office, eventually, saying, scripted


def documents_alive() -> int:
    gc.collect()
    return sum(isinstance(thing, Doc) for thing in gc.get_objects())


@pytest.mark.asyncio
async def test_replicas_of_runs_are_let_go(office: Office) -> None:
    before = documents_alive()  # tests before this one may keep some

    async def several_runs() -> None:
        async with office.person() as ada, office.working(scripted(saying("hi"))):
            for _ in range(3):
                await ada.until_over(ada.ask("hello"))

    async def let_go() -> bool:
        return documents_alive() <= before + 1  # the room's own

    for _ in range(2):
        await several_runs()
        await eventually(let_go)

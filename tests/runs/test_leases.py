"""A worker that loses a session stops, and can write nothing more into it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
from tests.runs.offices import QUICK, SESSION, Office, saying, scripted

from threadline.agents import DriverEvent, Said, Task
from threadline.document.lifecycle import RunStatus
from threadline.errors import SessionError, StoreError

pytestmark = pytest.mark.asyncio


async def test_a_lost_lease_ends_the_attempt_and_the_next_goes_on(office: Office) -> None:
    attempts: list[asyncio.Event] = []

    async def play(task: Task) -> AsyncGenerator[DriverEvent, None]:
        over = asyncio.Event()
        attempts.append(over)
        try:
            yield Said("Hello ")
            if len(attempts) == 1:
                await asyncio.Event().wait()
            yield Said("again")
        finally:
            over.set()

    options = replace(QUICK, lease_ttl_s=0.3)
    async with office.person() as ada, office.working(scripted(play), options=options) as worker:
        run_id = ada.ask("go")
        await ada.until(lambda: run_id in ada.document.runs and ada.reply(run_id) != "")
        lease = await office.backplane.acquire_lease(SESSION, worker.holder, 60_000)
        assert lease is not None
        await asyncio.wait_for(attempts[0].wait(), 20)
        assert ada.run(run_id).status is RunStatus.RUNNING
        await office.backplane.release_lease(lease)
        run = await ada.until_over(run_id)
        assert (run.status, run.attempt, ada.reply(run_id)) == (RunStatus.COMPLETED, 2, "Hello again")
    # Either the renewal or a write of the old attempt is told first.
    assert office.failures
    assert all(isinstance(failure, StoreError | SessionError) for failure in office.failures)


async def test_a_session_that_another_holds_is_tried_again(office: Office) -> None:
    lease = await office.backplane.acquire_lease(SESSION, "somebody else", 60_000)
    assert lease is not None
    async with office.person() as ada, office.working(scripted(saying("hi"))):
        run_id = ada.ask("go")
        await ada.replica.saved()
        assert run_id not in ada.document.runs
        await office.backplane.release_lease(lease)
        assert (await ada.until_over(run_id)).status is RunStatus.COMPLETED


async def test_a_deleted_session_ends_the_work_on_it(office: Office) -> None:
    over = asyncio.Event()

    async def play(task: Task) -> AsyncGenerator[DriverEvent, None]:
        try:
            yield Said("Hello ")
            await asyncio.Event().wait()
        finally:
            over.set()

    async with office.person() as ada, office.working(scripted(play)):
        run_id = ada.ask("go")
        await ada.until(lambda: run_id in ada.document.runs and ada.reply(run_id) != "")
        await office.backplane.delete_session(SESSION)
        await asyncio.wait_for(over.wait(), 20)
    assert office.failures == []

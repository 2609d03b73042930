"""Messages to a run that is under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from tests.runs.offices import Office, saying, scripted

from threadline.agents import DriverEvent, Said, Task
from threadline.document.intents import OnBusy
from threadline.document.lifecycle import RunStatus

pytestmark = pytest.mark.asyncio


async def steerable(task: Task) -> AsyncGenerator[DriverEvent, None]:
    """Works until it is told to stop."""
    yield Said(f"on {task.words}; ")
    while True:
        for turn in task.steered():
            yield Said(f"then {turn.content}; ")
            if turn.content == "stop":
                return
        await asyncio.sleep(0.002)


async def test_a_driver_that_asks_takes_messages_while_it_runs(office: Office) -> None:
    async with office.person() as ada, office.person("bob") as bob, office.working(scripted(steerable)):
        first = ada.ask("it")
        await ada.until_status(first, RunStatus.RUNNING)
        second = bob.ask("more", on_busy=OnBusy.STEER)
        await bob.until(lambda: second in bob.document.runs and bob.run(second).joined == first)
        assert bob.run(second).status is RunStatus.QUEUED
        third = bob.ask("stop", on_busy=OnBusy.STEER)
        assert (await bob.until_over(third)).status is RunStatus.COMPLETED
        await bob.until_over(first)
        assert ada.reply(first) == "on it; then more; then stop; "
        assert bob.reply(second) == bob.reply(third) == ada.reply(first)
        assert [event.type for event in bob.document.events(third)] == ["session_start", "done"]
        assert [message.role for message in ada.document.messages] == ["user", "assistant", "user", "user"]


async def test_a_message_that_no_driver_takes_becomes_the_next_run(office: Office) -> None:
    release = asyncio.Event()

    async def deaf(task: Task) -> AsyncGenerator[DriverEvent, None]:
        if task.words == "first":
            await release.wait()
        yield Said(f"re: {task.words}")

    async with office.person() as ada, office.working(scripted(deaf)):
        first = ada.ask("first")
        await ada.until_status(first, RunStatus.RUNNING)
        second = ada.ask("second", on_busy=OnBusy.STEER)
        await ada.until(lambda: second in ada.document.runs)
        assert ada.run(second).steers == first
        release.set()
        await ada.until_over(second)
        assert (ada.reply(first), ada.reply(second)) == ("re: first", "re: second")
        assert ada.run(second).joined == ""


async def test_a_worker_that_takes_over_knows_what_the_lost_one_was_told(office: Office) -> None:
    seen: list[list[str]] = []

    async def play(task: Task) -> AsyncGenerator[DriverEvent, None]:
        seen.append([turn.content for turn in task.turns])
        if len(seen) == 1:
            while not task.steered():  # noqa: ASYNC110
                await asyncio.sleep(0.002)
            yield Said("heard")
            await asyncio.Event().wait()
        yield Said("done")

    async with office.person() as ada:
        async with office.working(scripted(play)):
            first = ada.ask("it")
            await ada.until_status(first, RunStatus.RUNNING)
            second = ada.ask("more", on_busy=OnBusy.STEER)
            await ada.until(lambda: first in ada.document.runs and ada.reply(first) == "heard")
        async with office.working(scripted(play)):
            await ada.until_over(first)
            assert (await ada.until_over(second)).status is RunStatus.COMPLETED
        assert seen == [["it"], ["it", "more"]]
        assert ada.reply(second) == "done"


async def test_nothing_is_steered_where_nothing_runs(office: Office) -> None:
    async with office.person() as ada, office.working(scripted(saying("hi"))):
        run = await ada.until_over(ada.ask("hello", on_busy=OnBusy.STEER))
        assert (run.status, run.steers) == (RunStatus.COMPLETED, "")

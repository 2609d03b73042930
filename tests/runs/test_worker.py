"""Runs from asking to the end, over real rooms and a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.runs.offices import QUICK, SESSION, Office, eventually, saying, scripted

from threadline.agents import DriverEvent, Said, Session, Task, Thought, Used, tool
from threadline.document.events import EventType
from threadline.document.intents import OnBusy, Verdict
from threadline.document.lifecycle import RunStatus
from threadline.document.messages import MessageStatus
from threadline.document.steps import StepType
from threadline.errors import StoreError
from threadline.ids import SessionId
from threadline_server.backplane.base import DocumentName
from threadline_server.rooms.compaction import compact
from threadline_server.runs.worker import Worker

pytestmark = pytest.mark.asyncio


@tool(description="Add to the cart")
def add_to_cart(item: str, session: Session) -> str:
    session.set("cart", [*session.get("cart", []), item])
    return f"Added {item}"


async def speaks_for_ever(task: Task) -> AsyncGenerator[DriverEvent, None]:
    while True:
        yield Said("on and ")
        await asyncio.sleep(0.002)


async def test_a_run_is_decided_executed_and_written(office: Office) -> None:
    async def play(task: Task) -> AsyncGenerator[DriverEvent, None]:
        yield Thought("A pen.")
        outcome = await task.call("add_to_cart", {"item": "pen"})
        yield Said(f"{outcome.text}. ")
        yield Said(f"You said: {task.words}")
        yield Used(10, 5)

    async with office.person() as ada, office.working(scripted(play, tools=[add_to_cart])):
        run_id = ada.ask("a pen please")
        run = await ada.until_over(run_id)
        assert (run.status, run.attempt, run.error) == (RunStatus.COMPLETED, 1, None)
        assert ada.reply(run_id) == "Added pen. You said: a pen please"
        assert ada.document.state.get("cart") == ["pen"]
        assert [step.type for step in run.steps] == ["thinking", "tool_call", "tool_result", "output"]
        assert (run.usage.input_tokens, run.usage.output_tokens, run.usage.source) == (10, 5, "reported")
        message = ada.document.messages[-1]
        assert (message.role, message.author.user, message.status, message.run) == (
            "assistant",
            "agent:helper",
            "complete",
            run_id,
        )
        assert message.seq is not None
        assert ada.document.intents.ids() == []
        assert [event.type for event in ada.document.events(run_id)][-1] is EventType.DONE
    assert office.failures == []


async def test_an_intent_written_while_no_worker_was_there_is_found(office: Office) -> None:
    async with office.person() as ada:
        run_id = ada.ask("hello")
        await ada.replica.saved()
        async with office.working(scripted(saying("hi"))):
            assert (await ada.until_over(run_id)).status is RunStatus.COMPLETED


async def test_an_intent_whose_news_was_lost_is_found_in_the_round_of_its_room(office: Office) -> None:
    async with office.person() as ada, office.working(scripted(saying("hi"))) as worker:
        await ada.until_over(ada.ask("so that the worker has worked here"))
        await eventually(lambda: _is_idle(worker))
        office.deaf = True
        run_id = ada.ask("hello")
        await ada.replica.saved()
        office.deaf = False
        await office.rooms.sweep()
        assert (await ada.until_over(run_id)).status is RunStatus.COMPLETED


async def test_a_session_on_which_work_failed_is_worked_on_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide, failures = office.backplane.decide, 3

    async def decide_at_last(*arguments: Any) -> str:
        if len(office.failures) < failures:
            raise StoreError("away")
        return await decide(*arguments)

    monkeypatch.setattr(office.backplane, "decide", decide_at_last)
    async with office.person() as ada, office.working(scripted(saying("hi"))):
        run_id = ada.ask("hello")
        assert (await ada.until_over(run_id)).status is RunStatus.COMPLETED
    assert len(office.failures) == failures


async def test_a_session_for_which_there_was_no_place_is_worked_on_later(office: Office) -> None:
    other = SessionId("other")
    await office.create(other)
    options = replace(QUICK, max_sessions_worked=1)
    async with (
        office.person() as ada,
        office.person("bob", session=other) as bob,
        office.working(scripted(speaks_for_ever), options=options),
    ):
        first = ada.ask("hello")
        await ada.until_status(first, RunStatus.RUNNING)
        second = bob.ask("hello")
        await bob.replica.saved()
        ada.stop(first)
        await ada.until_over(first)
        await bob.until_status(second, RunStatus.RUNNING)


async def _is_idle(worker: Worker) -> bool:
    return worker.stats()["sessions"] == 0


async def test_a_run_goes_on_when_the_asking_device_leaves(office: Office) -> None:
    async with office.working(scripted(saying("a", "b"))):
        async with office.person() as ada:
            run_id = ada.ask("hello")
        async with office.person("bob") as bob:
            assert (await bob.until_over(run_id)).status is RunStatus.COMPLETED
            assert bob.reply(run_id) == "ab"


async def test_a_run_is_stopped_from_another_device_and_keeps_its_text(office: Office) -> None:
    async with office.person() as ada, office.person("bob") as bob:
        async with office.working(scripted(speaks_for_ever)):
            run_id = ada.ask("talk")
            await bob.until(lambda: run_id in bob.document.runs and bob.reply(run_id) != "")
            bob.stop(run_id)
            run = await ada.until_over(run_id)
        assert run.status is RunStatus.CANCELLED
        assert run.stopped_by["user"] == "bob"
        message = ada.document.messages.get(run.message)
        assert message is not None
        assert message.status == MessageStatus.STOPPED
        assert message.text.startswith("on and ")
        assert run.usage.output_tokens > 0


async def test_runs_of_one_session_follow_each_other(office: Office) -> None:
    seen: list[list[str]] = []

    async def play(task: Task) -> AsyncGenerator[DriverEvent, None]:
        seen.append([turn.content for turn in task.turns])
        yield Said(f"re: {task.words}")

    async with office.person() as ada:
        runs = [ada.ask("one"), ada.ask("two")]
        async with office.working(scripted(play)):
            for run_id in runs:
                await ada.until_over(run_id)
    assert seen == [["one"], ["one", "re: one", "two"]]


async def test_a_run_that_is_not_to_wait_is_rejected(office: Office) -> None:
    async with office.person() as ada, office.working(scripted(speaks_for_ever)):
        first = ada.ask("talk")
        await ada.until_status(first, RunStatus.RUNNING)
        second = await ada.until_over(ada.ask("me too", on_busy=OnBusy.REJECT))
        assert second.status is RunStatus.FAILED
        assert second.error is not None
        assert second.error.code == "busy"
        assert ada.run(first).status is RunStatus.RUNNING
        ada.stop(first)
        await ada.until_over(first)


async def test_a_run_that_interrupts_stops_the_one_before(office: Office) -> None:
    async def play(task: Task) -> AsyncGenerator[DriverEvent, None]:
        if task.words == "short":
            yield Said("done")
            return
        await task.call("add_to_cart", {"item": "pen"})
        async for event in speaks_for_ever(task):
            yield event

    agent = scripted(play, tools=[add_to_cart])
    async with office.person() as ada, office.working(agent):
        first = ada.ask("long")
        await ada.until(lambda: first in ada.document.runs and ada.reply(first) != "")
        second = ada.ask("short", on_busy=OnBusy.INTERRUPT)
        assert (await ada.until_over(second)).status is RunStatus.COMPLETED
        assert ada.run(first).status is RunStatus.CANCELLED
        assert ada.document.state.get("cart") == ["pen"]

        third = ada.ask("long again")
        await ada.until(lambda: third in ada.document.runs and ada.reply(third) != "")
        ada.document.state.set("by", "ada")
        await ada.until_over(ada.ask("short", on_busy=OnBusy.ROLLBACK))
        assert ada.document.state.to_dict() == {"cart": ["pen"], "by": "ada"}
        taken_back = ada.document.messages.get(ada.run(third).message)
        assert taken_back is not None
        assert taken_back.status == MessageStatus.RETRACTED


@pytest.mark.row("S3-3", "S3-11", "S3-12")
@pytest.mark.parametrize(
    ("limits", "status", "code"),
    [
        ({"max_steps": 2}, RunStatus.MAX_STEPS_REACHED, "max_steps_reached"),
        ({"timeout_seconds": 1}, RunStatus.TIMEOUT, "timeout"),
        ({"max_tokens": 20}, RunStatus.FAILED, "max_tokens_reached"),
    ],
)
async def test_limits_end_a_run(office: Office, limits: dict[str, int], status: RunStatus, code: str) -> None:
    async def play(task: Task) -> AsyncGenerator[DriverEvent, None]:
        if "max_steps" in limits:
            while True:
                await task.call("add_to_cart", {"item": "pen"})
        async for event in speaks_for_ever(task):
            yield event

    async with office.person() as ada, office.working(scripted(play, tools=[add_to_cart])):
        run = await ada.until_over(ada.ask("go", limits=limits))
        assert run.status is status
        assert run.error is not None
        assert run.error.code == code
        if "max_steps" in limits:
            assert ada.document.state.get("cart") == ["pen", "pen"]


async def test_a_driver_that_fails_fails_its_run_alone(office: Office) -> None:
    async def play(task: Task) -> AsyncGenerator[DriverEvent, None]:
        yield Said("well, ")
        if task.words == "fail":
            raise RuntimeError("no such luck")

    async with office.person() as ada, office.working(scripted(play)):
        failed = await ada.until_over(ada.ask("fail"))
        assert failed.error is not None
        assert (failed.status, failed.error.code, failed.error.message) == (
            RunStatus.FAILED,
            "agent_failed",
            "no such luck",
        )
        assert ada.reply(failed.id) == "well, "
        assert (await ada.until_over(ada.ask("again"))).status is RunStatus.COMPLETED


async def test_what_a_tool_gets_wrong_is_told_to_the_agent(office: Office) -> None:
    @tool
    def broken() -> str:
        """Always fails"""
        raise ValueError("no rooms left")

    async def play(task: Task) -> AsyncGenerator[DriverEvent, None]:
        for name, arguments in (("broken", {}), ("add_to_cart", {"wrong": 1}), ("missing", {})):
            outcome = await task.call(name, arguments)
            assert outcome.fault is not None
            yield Said(outcome.fault.code + " ")

    agent = scripted(play, tools=[broken, add_to_cart])
    async with office.person() as ada, office.working(agent):
        run = await ada.until_over(ada.ask("go"))
        assert ada.reply(run.id).split() == ["tool_failed", "arguments_invalid", "tool_unknown"]
        events = ada.document.events(run.id)
        assert [event.to_json()["code"] for event in events if event.type is EventType.ERROR] == [
            "tool_failed",
            "arguments_invalid",
        ]


@pytest.mark.row("S3-13")
async def test_only_the_tools_that_were_asked_for_are_there(office: Office) -> None:
    async def play(task: Task) -> AsyncGenerator[DriverEvent, None]:
        yield Said(",".join(task.tools) or "none")

    async with office.person() as ada, office.working(scripted(play, tools=[add_to_cart])):
        assert ada.reply((await ada.until_over(ada.ask("go", tools=()))).id) == "none"
        assert ada.reply((await ada.until_over(ada.ask("go"))).id) == "add_to_cart"


@pytest.mark.row("S4-30", "S4-31")
async def test_a_call_waits_for_a_persons_word_which_counts_once(office: Office) -> None:
    booked: list[str] = []

    @tool(description="Book", requires_approval=True)
    def book(hotel: str) -> str:
        booked.append(hotel)
        return f"Booked {hotel}"

    async def play(task: Task) -> AsyncGenerator[DriverEvent, None]:
        yield Said((await task.call("book", {"hotel": "Adler"})).text)

    async with (
        office.person() as ada,
        office.person("bob") as bob,
        office.working(scripted(play, tools=[book])),
    ):
        run_id = ada.ask("book it")
        run = await ada.until_status(run_id, RunStatus.WAITING)
        assert (run.waiting_for, booked) == ("approval", [])
        await eventually(lambda: office.is_listed(SESSION, "waiting"))
        (pending,) = run.approvals
        assert (pending.tool, pending.arguments) == ("book", {"hotel": "Adler"})
        bob.say_on_call(run_id, pending.call, Verdict.APPROVE, arguments_hash="of something else")
        bob.say_on_call(run_id, pending.call, Verdict.APPROVE, arguments_hash=pending.arguments_hash)
        ada.say_on_call(run_id, pending.call, Verdict.REJECT, at=4)
        run = await ada.until_over(run_id)
        assert (ada.reply(run_id), booked) == ("Booked Adler", ["Adler"])
        assert run.approvals[0].decided_by == {"user": "bob", "device": "test"}
        assert (run.approvals[0].status, run.waiting_for) == ("approved", "")

        refused = ada.ask("book it")
        run = await ada.until_status(refused, RunStatus.WAITING)
        ada.say_on_call(refused, run.approvals[0].call, Verdict.REJECT, reason="too dear")
        await ada.until_over(refused)
        assert (ada.reply(refused), booked) == ("Error: Rejected: too dear", ["Adler"])

        stopped = ada.ask("book it")
        await ada.until_status(stopped, RunStatus.WAITING)
        ada.stop(stopped)
        run = await ada.until_over(stopped)
        assert (run.status, run.approvals[0].status) == (RunStatus.CANCELLED, "expired")


async def test_another_worker_goes_on_and_nothing_is_doubled(office: Office) -> None:
    """The first is lost after a tool and in the middle of its answer."""
    added: list[str] = []

    @tool
    def add(item: str) -> str:
        """Add"""
        added.append(item)
        return f"Added {item}. "

    async def play(task: Task) -> AsyncGenerator[DriverEvent, None]:
        yield Said("Let me see. ")
        outcome = await task.call("add", {"item": "pen"})
        for word in (outcome.text, "And ", "now ", "I ", "wait."):
            yield Said(word)
            if word == "now " and len(workers) == 1:
                await asyncio.Event().wait()

    workers: list[int] = [1]
    agent = scripted(play, tools=[add])
    async with office.person() as ada:
        async with office.working(agent):
            run_id = ada.ask("a pen")
            await ada.until(lambda: run_id in ada.document.runs and "now" in ada.reply(run_id))
        assert ada.run(run_id).status is RunStatus.RUNNING
        workers.append(2)
        async with office.working(agent):
            run = await ada.until_over(run_id)
        assert (run.status, run.attempt, added) == (RunStatus.COMPLETED, 2, ["pen"])
        assert ada.reply(run_id) == "Let me see. \n\nAdded pen. And now I wait."
        calls = [step for step in run.steps if step.type == StepType.TOOL_CALL]
        assert len(calls) == 1
        assert len(ada.document.messages) == 2


async def test_a_run_that_loses_every_worker_fails(office: Office) -> None:
    async def play(task: Task) -> AsyncGenerator[DriverEvent, None]:
        yield Said("working")
        await asyncio.Event().wait()

    agent = scripted(play)
    options = replace(QUICK, max_attempts=2)
    async with office.person() as ada:
        run_id = ada.ask("go")
        for attempt in (1, 2):
            async with office.working(agent, options=options):
                await ada.until(lambda: run_id in ada.document.runs and ada.run(run_id).attempt == attempt)  # noqa: B023
        async with office.working(agent, options=options):
            run = await ada.until_over(run_id)
        assert run.error is not None
        assert (run.status, run.error.code, run.attempt) == (RunStatus.FAILED, "worker_lost", 3)


async def test_a_run_stopped_while_nobody_worked_ends_without_being_executed(office: Office) -> None:
    began: list[int] = []

    async def play(task: Task) -> AsyncGenerator[DriverEvent, None]:
        began.append(1)
        yield Said("working")
        await asyncio.Event().wait()

    async with office.person() as ada:
        run_id = ada.ask("go")
        async with office.working(scripted(play)):
            await ada.until(lambda: run_id in ada.document.runs and ada.reply(run_id) != "")
        ada.stop(run_id)
        async with office.working(scripted(play)):
            assert (await ada.until_over(run_id)).status is RunStatus.CANCELLED
        assert began == [1]


async def test_runs_for_other_agents_are_left_to_their_workers(office: Office) -> None:
    async with office.person() as ada, office.working(scripted(saying("by a"), "a")):
        for_b = ada.ask("hello", agent="b")
        for_a = ada.ask("hello", agent="a")
        await ada.until_over(for_a)
        assert for_b not in ada.document.runs
        async with office.working(scripted(saying("by b"), "b")):
            await ada.until_over(for_b)
            assert (ada.reply(for_a), ada.reply(for_b)) == ("by a", "by b")


async def test_the_catalogue_follows_the_latest_run(office: Office) -> None:
    async with office.person() as ada, office.working(scripted(saying("hi"))):
        await ada.until_over(ada.ask("hello"))

        async def shown() -> bool:
            record = await office.backplane.get_session(SESSION)
            return (record.status, record.agent) == ("completed", "helper")

        await eventually(shown)


async def test_a_long_reply_costs_its_bytes_about_once(
    office: Office, figures: Callable[[str], None]
) -> None:
    words = [f"wörd{number} " for number in range(1000)]
    async with office.person() as ada, office.working(scripted(saying(*words))):
        run_id = ada.ask("talk", limits={"max_tokens": 100_000})
        await ada.until_over(run_id)
        text = ada.reply(run_id)
        assert text == "".join(words)
        stored = await compacted(office)
    size = len(text.encode())
    figures(
        f"a reply of {len(words)} tokens, {size} bytes: {stored} bytes of base and index after compaction"
    )
    assert stored <= 2 * size


async def compacted(office: Office) -> int:
    """The bytes that the store has for the session when all of it is in the base."""
    document = DocumentName(SESSION)
    room = await office.rooms.open(document)

    async def settled() -> bool:
        return room.log.tail.durable

    await eventually(settled)
    await compact(room)
    stored = await office.backplane.load(document)
    assert stored.base is not None
    assert stored.index is not None
    assert stored.tail == ()
    return len(stored.base) + len(stored.index)


async def test_sessions_are_worked_on_at_once(office: Office) -> None:
    """Every run waits for all the others, so none may wait for its turn."""
    sessions = [SessionId(f"s{number}") for number in range(10)]
    together = asyncio.Barrier(len(sessions))

    async def play(task: Task) -> AsyncGenerator[DriverEvent, None]:
        await together.wait()
        yield Said("together")

    async def ask(session: SessionId) -> str:
        await office.create(session)
        async with office.person(session=session) as ada:
            return ada.reply((await ada.until_over(ada.ask("go"))).id)

    async with office.working(scripted(play)):
        replies = await asyncio.gather(*map(ask, sessions))
    assert set(replies) == {"together"}

"""Runs as a device sees them: events, results, approvals, cancelling, coming late, being cut off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.client.conftest import PATIENCE_S, Place, until

from threadline.agents import Agent, DriverEvent, Said, Session, Task, as_agent, tool
from threadline.client import Client
from threadline.errors import SessionClosed, SessionError
from threadline.run import Run


@tool(description="Set the budget for one night")
def set_budget(amount: int, session: Session) -> str:
    session.set("budget", amount)
    return f"The budget is {amount}."


@tool(description="Book a hotel", requires_approval=True)
def book(hotel: str, session: Session) -> str:
    session.set("hotel", hotel)
    return f"Booked {hotel}."


TRAVEL = Agent(name="travel", model="demo", tools=[set_budget, book])


class Gate:
    """An agent that says something, waits to be let on, and says the rest."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    def agent(self) -> Agent:
        async def slow(messages: Any, context: Any) -> AsyncIterator[str]:
            yield "Once upon "
            await self.open.wait()
            yield "a time. 👋"

        return as_agent(slow, name="slow")


@pytest_asyncio.fixture
async def travel(place: Place) -> AsyncIterator[Client]:
    """Ada's client of a server with the travel agent."""
    await place.start()
    await place.work(TRAVEL)
    async with place.connect("ada") as client:
        yield client


def text_of(events: list[Any]) -> str:
    return "".join(event.content for event in events if event.type == "output")


@pytest.mark.asyncio
async def test_a_run_from_asking_to_done(travel: Client) -> None:
    session = await travel.open("trip")
    run = await session.send("set budget 150")
    async with asyncio.timeout(PATIENCE_S):
        events = [event async for event in run.events()]
    types = [str(event.type) for event in events]
    assert types[0] == "session_start"
    assert types[-1] == "done"
    assert types.count("done") == 1
    assert {"step_start", "tool_call", "tool_result", "step_complete", "output"} <= set(types)
    result = await run.result(PATIENCE_S)
    assert result.status == run.status == "completed"
    assert result.output == text_of(events) == session.messages[-1].text
    assert session["budget"] == 150
    assert result.tool_calls == 1
    assert result.error is None
    again = [event async for event in run.events()]
    assert text_of(again) == text_of(events)
    texts = ("output", "thinking")
    assert [e.id for e in again if e.type not in texts] == [e.id for e in events if e.type not in texts]


@pytest.mark.asyncio
async def test_events_go_on_through_a_lost_connection_without_doubling(place: Place) -> None:
    await place.start()
    gate = Gate()
    await place.work(gate.agent())
    async with place.connect("ada") as ada:
        session = await ada.open("trip")
        run = await session.send("tell me a story")
        seen: list[Any] = []

        async def watch() -> None:
            async for event in run.events():
                seen.append(event)
                session.changed.notify()

        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
            tasks.create_task(watch())
            await session.until(lambda: text_of(seen) == "Once upon ")
            await drop_sockets(place, session)
            gate.open.set()
        assert text_of(seen) == "Once upon a time. 👋"
        late = [event async for event in run.events()]
        assert text_of(late) == text_of(seen)
        half = late[len(late) // 2]
        assert [e.id for e in late[late.index(half) + 1 :]] == [e.id async for e in run.events(half.id)]


async def drop_sockets(place: Place, session: Any) -> None:
    """The server closes every socket; the session is live again afterwards."""
    for batch in place.node.connections.batches():
        for connection in batch:
            connection.leave()
    await session.until(lambda: session.status == "offline")
    await session.joined(PATIENCE_S)


@pytest.mark.asyncio
async def test_a_run_asked_for_offline_runs_when_there_is_a_connection(place: Place) -> None:
    async with place.connect("ada", user="ada") as ada:
        session = await ada.open("trip")
        run = await session.send("set budget 99")
        assert run.status == "queued"
        assert run.output == ""
        await place.start()
        await place.work(TRAVEL)
        result = await run.result(PATIENCE_S)
        assert result.status == "completed"
        assert session["budget"] == 99


@pytest.mark.row("S4-31")
@pytest.mark.asyncio
async def test_a_call_is_approved_from_another_device(travel: Client, place: Place) -> None:
    session = await travel.open("trip")
    run = await session.send('book hotel "Adlon"')
    await until(session, lambda: bool(run.pending))
    assert run.status == "waiting"
    assert run.pending[0].tool == "book"
    assert "hotel" not in session
    async with place.connect("ada") as laptop:
        there = await laptop.open("trip")
        waiting = there.active_run
        assert waiting is not None
        with pytest.raises(SessionError, match="does not wait"):
            await waiting.approve("no such call")
        await waiting.approve()
    assert (await run.result(PATIENCE_S)).status == "completed"
    await until(session, lambda: session.get("hotel") == "Adlon")


@pytest.mark.asyncio
async def test_a_call_is_rejected_with_a_reason(travel: Client) -> None:
    session = await travel.open("trip")
    run = await session.send('book hotel "Adlon"')
    await until(session, lambda: bool(run.pending))
    await run.reject(reason="too dear")
    result = await run.result(PATIENCE_S)
    assert "hotel" not in session
    assert result.status == "completed"
    with pytest.raises(SessionError, match="0 calls wait"):
        await run.approve()


@pytest.mark.row("S3-40")
@pytest.mark.asyncio
async def test_a_run_is_cancelled(place: Place) -> None:
    await place.start()
    await place.work(Gate().agent())
    async with place.connect("ada") as ada:
        session = await ada.open("trip")
        run = await session.send("a long story")
        await until(session, lambda: run.output == "Once upon ")
        await run.cancel("enough")
        assert await run.wait(PATIENCE_S) == "cancelled"
        assert session.messages[-1].text == "Once upon "


@pytest.mark.asyncio
async def test_waiting_is_bounded_and_does_not_stop_the_run(place: Place) -> None:
    await place.start()
    gate = Gate()
    await place.work(gate.agent())
    async with place.connect("ada") as ada:
        session = await ada.open("trip")
        run = await session.send("a story")
        with pytest.raises(TimeoutError):
            await run.wait(0.01)
        gate.open.set()
        assert await run.wait(PATIENCE_S) == "completed"


@pytest.mark.asyncio
async def test_an_execution_is_a_session_of_its_own(travel: Client) -> None:
    agent = travel.agents.get("travel")
    result = await agent.execute("set budget 70", context={"currency": "EUR"})
    assert result.status == "completed"
    assert "70" in result.output
    types = [str(event.type) async for event in agent.execute_stream(goal="set budget 80", max_steps=5)]
    assert (types[0], types[-1]) == ("session_start", "done")


@pytest.mark.asyncio
async def test_a_conversation_turn_by_turn(travel: Client) -> None:
    conversation = await travel.conversations.create(agent_id="travel", context={"user_name": "Ada"})
    for amount in (1, 2, 3):
        result = await conversation.send(f"set budget {amount}", timeout_s=PATIENCE_S)
        assert str(amount) in result.output
    assert [message["role"] for message in conversation.messages] == ["user", "assistant"] * 3
    await conversation.close()
    with pytest.raises(SessionClosed):
        await conversation.send("once more")


@pytest.mark.asyncio
async def test_a_handle_on_a_run_that_others_asked_for(travel: Client, place: Place) -> None:
    session = await travel.open("trip")
    run = await session.send("set budget 5")
    await run.wait(PATIENCE_S)
    await session.saved(PATIENCE_S)
    async with place.connect("bob") as bob:
        other = await bob.open("trip")
        same: Run = other.run(run.id)
        assert same.status == "completed"
        assert same.output == run.output
        assert [step.type for step in same.steps] == [step.type for step in run.steps]


class Attentive:
    """Says what it was given."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []

    async def run(self, task: Task) -> AsyncGenerator[DriverEvent, None]:
        self.tasks.append(task)
        yield Said(f"answer {len(self.tasks)}")


@pytest.mark.row("S3-33", "S3-34", "S3-35", "S3-36", "S3-37", "S3-38", "S3-39")
@pytest.mark.asyncio
async def test_a_conversation_has_its_own_system_context_and_history(place: Place) -> None:
    driver = Attentive()
    await place.start()
    await place.work(Agent(name="a", driver=driver, system_prompt="Be kind."))
    context = {"user_name": "Ada", "preferences": {"tone": "dry"}}
    async with place.connect("ada") as client:
        conversation = await client.conversations.create(
            agent_id="a", system_override="Be brief.", max_history=10, context=context
        )
        assert conversation.id
        for number in range(8):
            result = await conversation.send(f"question {number}", timeout_s=PATIENCE_S)
        assert result.output == "answer 8"
        assert len(conversation.messages) == 16
        last = driver.tasks[-1]
        assert len(last.turns) == 10
        assert [turn.content for turn in last.turns[-2:]] == ["answer 7", "question 7"]
        assert last.system == "Be brief."
        assert isinstance(last.context, dict)
        assert {name: last.context[name] for name in context} == context
        await conversation.close()
        with pytest.raises(SessionClosed):
            await conversation.send("once more")

"""Runs in the words of AG-UI, checked by the protocol's own types."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from ag_ui.core.events import Event as AgUi
from pydantic import TypeAdapter

from threadline.agents import Agent, DriverEvent, Said, Session, Task, Thought, tool
from threadline.document.ag_ui import AgUiEncoder
from threadline.document.events import Event
from threadline.document.intents import RunIntent
from threadline.document.lifecycle import Cause, RunStatus
from threadline.document.messages import Author
from threadline.document.steps import StepType

pytestmark = pytest.mark.asyncio

THEIRS: TypeAdapter[Any] = TypeAdapter(AgUi)


@tool(description="Add")
def add(item: str) -> dict[str, str]:
    return {"added": item}


@tool(description="Always fails")
def broken() -> str:
    raise ValueError("no luck")


class Plays:
    def __init__(self, fails: bool = False) -> None:
        self.fails = fails

    async def run(self, task: Task) -> AsyncGenerator[DriverEvent, None]:
        yield Thought("Let me see.")
        await task.call("add", {"item": "pen"})
        yield Said("It is ")
        yield Said("done.")
        if self.fails:
            await task.call("broken", {})
            raise RuntimeError("out of ink")


def told(session: Session, events: list[Event]) -> list[Any]:
    """Every event as the protocol's own type; it must keep all that was written."""
    run = session.runs.latest()
    assert run is not None
    encoder = AgUiEncoder(session.document, session.id, run.id)
    found = []
    for event in events:
        for encoded in encoder.encode(event):
            theirs = THEIRS.validate_python(encoded)
            assert theirs.model_dump(by_alias=True, mode="json", exclude_unset=True) == encoded
            found.append(theirs)
    return found


async def test_a_run_is_told_from_start_to_finish() -> None:
    session = Session(session_id="trip")
    stream = Agent([add], driver=Plays()).execute_stream("go", session=session)
    theirs = told(session, [event async for event in stream])
    kinds = [event.type.value for event in theirs]
    joined = [kind for place, kind in enumerate(kinds) if not (place and kind == kinds[place - 1])]
    assert joined == [
        "RUN_STARTED",
        *("STEP_STARTED", "REASONING_START", "REASONING_MESSAGE_START", "REASONING_MESSAGE_CONTENT"),
        *("REASONING_MESSAGE_END", "REASONING_END", "STEP_FINISHED"),
        *("STEP_STARTED", "TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END", "STEP_FINISHED"),
        *("STEP_STARTED", "TOOL_CALL_RESULT", "STEP_FINISHED"),
        *("STEP_STARTED", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "STEP_FINISHED"),
        "RUN_FINISHED",
    ]
    assert (theirs[0].thread_id, theirs[-1].outcome.type) == ("trip", "success")
    assert "".join(e.delta for e in theirs if e.type.value == "TEXT_MESSAGE_CONTENT") == "It is done."
    (arguments,) = [event for event in theirs if event.type.value == "TOOL_CALL_ARGS"]
    assert arguments.delta == '{"item": "pen"}'


async def test_a_failure_ends_the_run_and_a_failed_tool_does_not() -> None:
    session = Session()
    stream = Agent([add, broken], driver=Plays(fails=True)).execute_stream("go", session=session)
    theirs = told(session, [event async for event in stream])
    (tool_error,) = [event for event in theirs if event.type.value == "CUSTOM"]
    assert (tool_error.name, tool_error.value["message"]) == ("tool_error", "no luck")
    assert (theirs[-1].type.value, theirs[-1].message, theirs[-1].code) == (
        "RUN_ERROR",
        "out of ink",
        "agent_failed",
    )
    assert [event.type.value for event in theirs].count("RUN_ERROR") == 1


async def test_it_goes_on_after_the_last_event_that_was_seen() -> None:
    session = Session()
    await Agent([add], driver=Plays()).execute("go", session=session)
    run = session.runs.latest()
    assert run is not None
    events = session.document.events(run.id)
    whole = told(session, events)
    for place, event in enumerate(events):
        rest = told(session, session.document.events(run.id, event.id))
        assert [*told(session, events[: place + 1]), *rest] == whole


async def test_words_that_were_taken_back_are_named() -> None:
    session = Session()
    document = session.document
    run = document.runs.create(RunIntent(id="ada/1"), at=1, agent="a")
    run.transition(RunStatus.RUNNING, Cause.WORKER, at=2, attempt=1, message="agent:a/1")
    author = Author("agent:a")
    document.messages.create("agent:a/1", role="assistant", author=author, created_at=2, text="again")
    run.steps.begin(StepType.OUTPUT, at=2, attempt=1, start=0).end(3, end=7)
    run.void_outputs()
    run.steps.begin(StepType.OUTPUT, at=4, attempt=2, start=0).end(5, end=5)
    theirs = told(session, document.events("ada/1"))
    (taken_back,) = [event for event in theirs if event.type.value == "CUSTOM"]
    assert (taken_back.name, taken_back.value) == ("text_taken_back", ["ada/1/1"])

"""Working toward a goal: results, steps, events, limits and failures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from threadline.agents import Agent, DriverEvent, Said, Session, Task, Thought, Used, tool
from threadline.document.events import Event, Output, StepStart
from threadline.document.lifecycle import RunStatus
from threadline.errors import SessionError

pytestmark = pytest.mark.asyncio


@tool(description="Read a file")
def read_file(platform_context: dict[str, Any], session: Session) -> str:
    return f"{platform_context['file_path']} is {platform_context['file_type']}"


@tool(description="Always fails")
def broken() -> str:
    raise ValueError("no luck")


class Plays:
    """`play` is what the driver does; the tasks it was given are kept."""

    def __init__(self, play: Any) -> None:
        self.play = play
        self.tasks: list[Task] = []

    def run(self, task: Task) -> AsyncGenerator[DriverEvent, None]:
        self.tasks.append(task)
        events: AsyncGenerator[DriverEvent, None] = self.play(task)
        return events


async def everything(task: Task) -> AsyncGenerator[DriverEvent, None]:
    yield Thought("Let me see.")
    await task.call("read_file", {})
    await task.call("broken", {})
    yield Used(11, 4)
    yield Said("It is ")
    yield Said("done.")


CONTEXT = {"file_path": "/tmp/a.csv", "file_type": "csv", "nested": {"list": [1, {"deep": True}]}}


def agent_of(play: Any, **options: Any) -> Agent:
    return Agent([read_file, broken], driver=Plays(play), name="worker", **options)


@pytest.mark.row("S3-4", "S3-6", "S3-8", "S3-9", "S3-17", "S3-18", "S3-42", "S3-43")
async def test_a_result_has_status_output_steps_and_numbers() -> None:
    session = Session()
    result = await agent_of(everything).execute("read it", context=CONTEXT, session=session)
    assert (result.status, result.output, result.error) == (RunStatus.COMPLETED, "It is done.", None)
    assert [(step.number, str(step.type)) for step in result.steps] == [
        (1, "thinking"),
        (2, "tool_call"),
        (3, "tool_result"),
        (4, "tool_call"),
        (5, "tool_result"),
        (6, "error"),
        (7, "output"),
    ]
    assert result.steps[2].output == "/tmp/a.csv is csv"
    assert all(isinstance(step.duration_ms, int) and step.duration_ms >= 0 for step in result.steps)
    usage = result.usage
    assert (usage.input_tokens, usage.output_tokens, result.tokens_used) == (11, 4, 15)
    assert (result.tool_calls, result.duration_ms is not None and result.duration_ms >= 0) == (2, True)
    run = session.runs.latest()
    assert run is not None
    assert (run.context, run.goal, run.agent) == (CONTEXT, "read it", "worker")


@pytest.mark.row(
    "S3-19", "S3-20", "S3-21", "S3-22", "S3-23", "S3-24", "S3-25", "S3-26", "S3-27", "S3-28", "S3-32"
)
async def test_events_come_in_order_and_are_those_of_a_replay() -> None:
    session = Session()
    stream = agent_of(everything).execute_stream("read it", context=CONTEXT, session=session)
    live: list[Event] = [event async for event in stream]
    kinds = [str(event.type) for event in live]
    assert kinds[0] == "session_start"
    assert kinds.count("done") == 1
    assert kinds[-1] == "done"
    shown = [kind for kind in kinds if kind not in ("step_start", "step_complete")]
    assert [kind for i, kind in enumerate(shown) if kind != shown[i - 1]] == [
        "session_start",
        "thinking",
        "tool_call",
        "tool_result",
        "tool_call",
        "tool_result",
        "error",
        "output",
        "done",
    ]
    assert [event.step_number for event in live if isinstance(event, StepStart)] == [1, 2, 3, 4, 5, 6, 7]
    assert kinds.count("step_start") == kinds.count("step_complete") == 7
    run = session.runs.latest()
    assert run is not None
    replayed = session.document.events(run.id)
    assert "".join(e.content for e in live if isinstance(e, Output)) == "It is done."
    assert [e.id for e in replayed if e.type not in ("output", "thinking")] == [
        e.id for e in live if e.type not in ("output", "thinking")
    ]


@pytest.mark.row("S3-5")
async def test_a_goal_is_required() -> None:
    with pytest.raises(ValueError, match="goal"):
        await agent_of(everything).execute("")


@pytest.mark.row("S3-7")
async def test_a_context_may_be_a_text() -> None:
    driver = Plays(everything)
    session = Session()
    await Agent([read_file, broken], driver=driver).execute("go", context="some words", session=session)
    assert driver.tasks[0].context == {"context": "some words"}
    run = session.runs.latest()
    assert run is not None
    assert run.context == "some words"


@pytest.mark.row("S3-3", "S3-10", "S3-11", "S3-12")
async def test_limits_have_defaults_and_hold() -> None:
    async def for_ever(task: Task) -> AsyncGenerator[DriverEvent, None]:
        while True:
            if "steps" in task.goal:
                await task.call("read_file", {})
            yield Said("on and on ")
            await asyncio.sleep(0)

    session = Session()
    await agent_of(everything).execute("go", context=CONTEXT, session=session)
    run = session.runs.latest()
    assert run is not None
    limits = run.limits
    assert (limits.max_steps, limits.max_tokens, limits.timeout_seconds) == (10, 4000, 120)
    agent = agent_of(for_ever)
    assert (await agent.execute("steps", context=CONTEXT, max_steps=2)).status == "max_steps_reached"
    result = await agent.execute("talk", max_tokens=20, check=False)
    assert result.error is not None
    assert (result.status, result.error.code) == ("failed", "max_tokens_reached")
    assert 10 < len(result.output.split()) <= 20
    assert (await agent.execute("talk", max_tokens=10**9, timeout_seconds=1, check=False)).status == "timeout"


@pytest.mark.row("S3-13")
async def test_only_listed_tools_are_there() -> None:
    async def play(task: Task) -> AsyncGenerator[DriverEvent, None]:
        yield Said(",".join(task.tools))
        outcome = await task.call("broken", {})
        yield Said(f" {outcome.fault.code if outcome.fault else ''}")

    result = await agent_of(play).execute("go", tools=["read_file"])
    assert result.output == "read_file tool_unknown"
    with pytest.raises(SessionError, match="no tool hammer"):
        await agent_of(play).execute("go", tools=["hammer"])


@pytest.mark.row("S3-14")
async def test_another_model_is_recorded_and_told_to_the_driver() -> None:
    driver, session = Plays(everything), Session()
    await Agent([read_file, broken], driver=driver).execute(
        "go", context=CONTEXT, model="openai:other", session=session
    )
    run = session.runs.latest()
    assert run is not None
    assert (run.model, driver.tasks[0].model) == ("openai:other", "openai:other")


@pytest.mark.row("S3-41", "S3-45", "S3-47")
async def test_failures_are_raised_or_given_back() -> None:
    async def fail(task: Task) -> AsyncGenerator[DriverEvent, None]:
        yield Said("well, ")
        if task.goal == "wait":
            await asyncio.Event().wait()
        raise RuntimeError("no luck")

    session = Session()
    with pytest.raises(SessionError) as raised:
        await agent_of(fail).execute("go", session=session)
    error = raised.value
    assert (error.message, error.code, error.session_id) == ("no luck", "agent_failed", session.id)
    result = await agent_of(fail).execute("go", check=False)
    assert result.error is not None
    assert (result.status, result.error.message, result.error.code) == ("failed", "no luck", "agent_failed")
    assert result.output == "well, "
    with pytest.raises(TimeoutError):
        await agent_of(fail).execute("wait", timeout_seconds=1)


async def test_an_execution_can_be_tried_again() -> None:
    tries: list[int] = []

    async def unsteady(task: Task) -> AsyncGenerator[DriverEvent, None]:
        tries.append(1)
        yield Said("ok")
        if len(tries) < 3:
            raise RuntimeError("not yet")

    agent = agent_of(unsteady)
    for attempt in range(3):
        try:
            result = await agent.execute("go")
            break
        except SessionError:
            assert attempt < 2
    assert (result.output, len(tries)) == ("ok", 3)

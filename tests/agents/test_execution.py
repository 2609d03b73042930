from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from tests.agents.stages import Notes, play

from threadline.agents import Agent, DriverEvent, Said, Task, Thought, Used, tool
from threadline.agents.execution import Word
from threadline.document.lifecycle import RunStatus
from threadline.document.runs import Limits
from threadline.document.steps import Step, StepType
from threadline.errors import Forbidden

pytestmark = pytest.mark.asyncio

Play = Callable[[Task], AsyncGenerator[DriverEvent, None]]


class Script:
    def __init__(self, script: Play) -> None:
        self.run = script


@tool
def double(x: int) -> int:
    """Double a number"""
    return 2 * x


def agent(script: Play, *tools: Any) -> Agent:
    return Agent(driver=Script(script), tools=[double, *tools])


async def test_what_a_driver_does_is_recorded_in_order() -> None:
    async def script(task: Task) -> AsyncGenerator[DriverEvent, None]:
        yield Thought("hm")
        outcome = await task.call("double", {"x": 4})
        yield Said(f"It is {outcome.output}")
        yield Used(5, 2)
        yield Used(1, 1)

    notes, outcome = await play(agent(script), "double 4")
    assert outcome.status is RunStatus.COMPLETED
    assert (notes.thoughts, notes.text, notes.calls) == ("hm", "It is 8", [("double", {"x": 4})])
    assert (notes.usage.input_tokens, notes.usage.output_tokens, notes.usage.source) == (6, 3, "reported")


async def test_usage_is_estimated_where_none_is_reported() -> None:
    async def script(task: Task) -> AsyncGenerator[DriverEvent, None]:
        yield Said("four words of text")

    notes, _ = await play(agent(script), "hello")
    assert (notes.usage.input_tokens, notes.usage.output_tokens, notes.usage.source) == (1, 4, "estimate")


async def test_steps_are_calls_and_answers() -> None:
    async def script(task: Task) -> AsyncGenerator[DriverEvent, None]:
        for number in range(2):
            yield Thought("again")
            await task.call("double", {"x": number})
        yield Said("a")
        yield Said("b")

    assert (await play(agent(script), "go", limits=Limits(max_steps=3)))[1].status is RunStatus.COMPLETED
    notes, outcome = await play(agent(script), "go", limits=Limits(max_steps=2))
    assert outcome.status is RunStatus.MAX_STEPS_REACHED
    assert (len(notes.outcomes), notes.text) == (2, "")


async def test_a_driver_that_catches_everything_cannot_pass_its_limits() -> None:
    async def script(task: Task) -> AsyncGenerator[DriverEvent, None]:
        for number in range(5):
            try:
                await task.call("double", {"x": number})
            except Exception:  # noqa: BLE001
                yield Thought("never mind")

    notes, outcome = await play(agent(script), "go", limits=Limits(max_steps=2))
    assert outcome.status is RunStatus.MAX_STEPS_REACHED
    assert len(notes.outcomes) == 2


async def test_failures_have_codes() -> None:
    async def known(task: Task) -> AsyncGenerator[DriverEvent, None]:
        yield Said("x")
        raise Forbidden("not you")

    async def unknown(task: Task) -> AsyncGenerator[DriverEvent, None]:
        yield Said("x")
        raise ZeroDivisionError

    for script, code in ((known, "forbidden"), (unknown, "agent_failed")):
        _, outcome = await play(agent(script), "go")
        assert outcome.fault is not None
        assert (outcome.status, outcome.fault.code) == (RunStatus.FAILED, code)


async def test_a_call_that_needs_approval_runs_when_approved() -> None:
    ran: list[int] = []

    @tool(requires_approval=True)
    def pay(amount: int) -> str:
        """Pay"""
        ran.append(amount)
        return "paid"

    async def script(task: Task) -> AsyncGenerator[DriverEvent, None]:
        yield Said((await task.call("pay", {"amount": 3})).text)

    for word, text in (
        (Word(False, "too much"), "Error: Rejected: too much"),
        (Word(True), "paid"),
        (Word(True, begun=True), "Error: The worker was lost while this ran"),
    ):
        notes, _ = await play(agent(script, pay), "go", notes=Notes(word=word))
        assert notes.text.startswith(text)
    assert ran == [3]


async def test_results_of_an_earlier_attempt_are_used_once_each() -> None:
    async def script(task: Task) -> AsyncGenerator[DriverEvent, None]:
        outcomes = [await task.call("double", {"x": 4}) for _ in range(3)]
        yield Said(",".join(str(outcome.output) for outcome in outcomes))

    earlier = [
        Step(1, StepType.TOOL_CALL, 0, call="c1", name="double", input={"x": 4}),
        Step(2, StepType.TOOL_RESULT, 0, call="c1", name="double", output=80),
        Step(3, StepType.TOOL_CALL, 0, call="c2", name="double", input={"x": 4}),
    ]
    notes, _ = await play(agent(script), "go", earlier=earlier)
    assert notes.text == "80,8,8"
    assert [outcome.call == "c2" for outcome in notes.outcomes] == [True, False]

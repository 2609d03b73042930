"""The demo driver: deterministic, without a model and without keys. It calls the tools that the words of a
message mean.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from threadline.agents.driver import DriverEvent, Task, ToolOutcome
from threadline.agents.pace import Pace
from threadline.agents.wording import Wanted, read_calls


class DemoDriver:
    """Reads calls out of the words, makes them in order, and says what came back."""

    def __init__(self, pace: Pace | None = None) -> None:
        self._pace = pace or Pace()

    async def run(self, task: Task) -> AsyncGenerator[DriverEvent, None]:
        calls = read_calls(task.words, task.tools.values())
        ready = [wanted for wanted in calls if not wanted.missing]
        if ready:
            plan = ", then ".join(wanted.tool.name for wanted in ready)
            async for thought in self._pace.think(f"The words ask for {plan}."):
                yield thought
        lines = [_told(await task.call(wanted.tool.name, wanted.arguments)) for wanted in ready]
        lines += [_asked(wanted) for wanted in calls if wanted.missing]
        async for piece in self._pace.say("\n\n".join(lines) or _help(task)):
            yield piece


def _told(outcome: ToolOutcome) -> str:
    if outcome.fault is not None:
        return f"`{outcome.name}` did not work: {outcome.fault.message}"
    return outcome.text


def _asked(wanted: Wanted) -> str:
    return f"For `{wanted.tool.name}` I need {' and '.join(wanted.missing)}."


def _help(task: Task) -> str:
    if not task.tools:
        return f"You said: {task.words}" if task.words else "Say something, and I will repeat it."
    offers = "\n".join(f"- `{tool.name}`: {tool.description}" for tool in task.tools.values())
    return f"I run without a model and go by the words of your message. I can:\n\n{offers}"

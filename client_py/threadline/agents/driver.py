"""What drives an agent: a model, a script, a function. Drivers think and speak by yielding, and act by
calling tools.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from threadline.agents.tool import Tool
from threadline.document.runs import Limits
from threadline.document.steps import Fault
from threadline.document.values import JSON
from threadline.session import Session


@dataclass(frozen=True, slots=True)
class Thought:
    """A piece of what the agent thinks. Consecutive pieces are one step."""

    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of the answer. Consecutive pieces are one step."""

    text: str


@dataclass(frozen=True, slots=True)
class Used:
    """Tokens used by one request to a model; `source` is `reported`, `exact` or `estimate`, `cost_usd`
    None where nobody knows the price.
    """

    input_tokens: int
    output_tokens: int
    source: str = "reported"
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Handed:
    """What a function gave back beside its text: an `AgentResult`. Responses carry it, documents do not."""

    result: object


DriverEvent: TypeAlias = Thought | Said | Used | Handed


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What a call came to: an output, or a fault that the model is told."""

    call: str
    name: str
    output: JSON = None
    fault: Fault | None = None

    @property
    def text(self) -> str:
        """The outcome in words, as a model reads it."""
        if self.fault is not None:
            return f"Error: {self.fault.message}"
        return self.output if isinstance(self.output, str) else repr(self.output)


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the history that an agent is given, oldest first. `at` is in Unix milliseconds."""

    role: str
    content: str
    user: str = ""
    at: int = 0
    data: JSON = None


@dataclass(frozen=True, slots=True)
class Made:
    """A call of an attempt before this one. Calling the same again gives its result, or makes it again."""

    call: str
    name: str
    arguments: Mapping[str, JSON]


Wish: TypeAlias = tuple[str | Tool, Mapping[str, JSON]]
"""A tool and its arguments."""

CallTool: TypeAlias = Callable[[str | Tool, Mapping[str, JSON]], Awaitable[ToolOutcome]]
CallTools: TypeAlias = Callable[[Sequence[Wish]], Awaitable[list[ToolOutcome]]]


async def _not_begun(wanted: object, arguments: object = None) -> Any:
    """Tools are called through an execution, which puts its own in place of this."""
    raise RuntimeError(f"{wanted} was called before the execution began")


def _nothing() -> Sequence[Turn]:
    return ()


@dataclass(frozen=True, slots=True)
class Task:
    """What an agent is to do, and with what.

    call:      runs a tool, by its name or one of the driver's own, within the run's limits
    call_all:  several; people are asked about all that need their word before the first waits
    earlier:   calls of attempts before this one, oldest first
    steered:   what people have said to the run since it began or since this was last asked; a driver that
               never asks leaves it to the next run
    """

    turns: Sequence[Turn]
    tools: Mapping[str, Tool]
    session: Session
    call: CallTool = _not_begun
    call_all: CallTools = _not_begun
    earlier: Sequence[Made] = ()
    steered: Callable[[], Sequence[Turn]] = _nothing
    goal: str = ""
    system: str = ""
    context: JSON = None
    model: str = ""
    limits: Limits = field(default_factory=Limits)

    @property
    def words(self) -> str:
        """What the agent is asked now: the last thing that people said, or the goal."""
        asked = next((turn.content for turn in reversed(self.turns) if turn.role == "user"), "")
        return asked or self.goal


class AgentDriver(Protocol):
    """The one seam between the kit and whatever does the thinking.

    `run` ends when the agent is done. It may be cancelled at any `await`. Exceptions other than those that
    `task.call` raises to end the run fail it, with their code where they are a ThreadlineError.
    """

    def run(self, task: Task) -> AsyncGenerator[DriverEvent, None]: ...

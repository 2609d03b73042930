"""Words for tests of the kit: an agent that plays before a recorder, without a server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from threadline.agents import Agent, Session, Task, Tool, ToolOutcome, Turn
from threadline.agents.execution import Execution, Outcome, Word
from threadline.document.runs import Limits, Usage
from threadline.document.steps import Step
from threadline.document.values import JSON


@dataclass
class Notes:
    """A recorder that keeps what it is told. `word` is what everybody says when asked."""

    thoughts: str = ""
    text: str = ""
    calls: list[tuple[str, JSON]] = field(default_factory=list)
    asked: list[tuple[str, JSON]] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    outcomes: list[ToolOutcome] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    word: Word = field(default_factory=lambda: Word(True))

    def thought(self, text: str) -> None:
        self.thoughts += text

    def said(self, text: str) -> None:
        self.text += text

    def tool_called(self, call: str, tool: Tool, arguments: JSON) -> None:
        self.calls.append((tool.name, arguments))

    def tool_returned(self, outcome: ToolOutcome) -> None:
        self.outcomes.append(outcome)

    def tool_known(self) -> None:
        self.calls.append(("known", None))

    def used(self, usage: Usage) -> None:
        self.usage = usage

    def ask(self, call: str, tool: Tool, arguments: JSON) -> None:
        self.asked.append((tool.name, arguments))

    async def approve(self, call: str) -> Word:
        return self.word

    async def start(self, call: str) -> None:
        self.started.append(call)


async def play(
    agent: Agent,
    *turns: str | Turn,
    session: Session | None = None,
    notes: Notes | None = None,
    limits: Limits | None = None,
    earlier: Sequence[Step] = (),
    steered: Callable[[], Sequence[Turn]] = list,
) -> tuple[Notes, Outcome]:
    """Let `agent` answer the last of `turns`."""
    notes = notes or Notes()
    execution = Execution(agent.driver, notes, limits=limits or Limits(), earlier=earlier)
    task = Task(
        turns=[turn if isinstance(turn, Turn) else Turn("user", turn) for turn in turns],
        tools=agent.tools,
        session=session if session is not None else Session(),
        steered=steered,
    )
    return notes, await execution.run(task)

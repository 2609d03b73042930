"""One execution of an agent: the driver's events and tool calls, recorded, within limits.

The same code runs an agent in a worker, where a recorder writes the document, and alone, where one fills a
response.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Protocol

from threadline.agents.driver import (
    AgentDriver,
    DriverEvent,
    Handed,
    Made,
    Said,
    Task,
    Thought,
    ToolOutcome,
    Used,
    Wish,
)
from threadline.agents.tool import Tool, ToolFailed
from threadline.document.approvals import arguments_hash
from threadline.document.lifecycle import RunStatus
from threadline.document.runs import Limits, Usage
from threadline.document.steps import Fault, Step, StepType
from threadline.document.values import JSON, to_json
from threadline.errors import ThreadlineError
from threadline.ids import uuid7
from threadline.transcript import estimate_tokens


class LimitReached(ThreadlineError):
    """The run has used up what it may; it ends with this status."""

    code = "limit_reached"

    def __init__(self, status: RunStatus, fault: Fault) -> None:
        super().__init__(fault.message)
        self.status = status
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Word:
    """A person's word on a call that needs approval. `begun`: an attempt that was lost has begun the call."""

    approved: bool
    reason: str = ""
    begun: bool = False


class Unattended(Exception):
    """A call needs a person's word, and nobody is there to give it: the execution stops until it is given."""


@dataclass(frozen=True, slots=True)
class Announced:
    """A call that is recorded and not made yet."""

    call: str
    tool: Tool
    arguments: JSON


class Recorder(Protocol):
    """Where an execution leaves its traces. Called in order, on the loop; `approve` may wait for days."""

    def thought(self, text: str) -> None: ...

    def said(self, text: str) -> None: ...

    def tool_called(self, call: str, tool: Tool, arguments: JSON) -> None: ...

    def tool_returned(self, outcome: ToolOutcome) -> None: ...

    def tool_known(self) -> None:
        """A tool was called whose result an earlier attempt recorded; what is said next is another answer."""

    def used(self, usage: Usage) -> None:
        """All tokens so far."""

    def ask(self, call: str, tool: Tool, arguments: JSON) -> None:
        """Ask people about a call, unless they have been asked."""

    async def approve(self, call: str) -> Word:
        """What they say, once they have. Raises Unattended where nobody can be waited for."""

    async def start(self, call: str) -> None:
        """An approved call is about to be made; returns when that is durable."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an execution ended; `fault` where it did not go well."""

    status: RunStatus
    fault: Fault | None = None


@dataclass(slots=True)
class Execution:
    """Runs `task` by `driver` once. `earlier` are the steps of attempts before this one.

    A tool whose result an earlier attempt recorded is not run again when the driver asks for the same: it
    gets that result. A call that waited for a word goes on waiting, and one that was approved is made: once,
    for it is noted before it begins. Where it had begun and its worker was lost, its outcome is not known,
    and it says so.
    """

    driver: AgentDriver
    recorder: Recorder
    limits: Limits = field(default_factory=Limits)
    earlier: Sequence[Step] = ()
    usage: Usage = field(default_factory=Usage)
    handed: Handed | None = None
    _steps: int = 0
    _speaking: bool = False
    _limit: LimitReached | None = None
    _output_tokens: int = 0
    _answered: list[Step] = field(default_factory=list)
    _unknown: list[Step] = field(default_factory=list)

    async def run(self, task: Task) -> Outcome:
        """Drive to the end, or to a call that nobody is there to approve (`waiting`). Never raises but for
        cancellation.
        """
        task = replace(
            task,
            call=lambda tool, arguments: self.call(task, tool, arguments),
            call_all=lambda wishes: self.call_all(task, wishes),
        )
        try:
            await self._settle_earlier(task)
            task = replace(task, earlier=tuple(self._made()))
            async with aclosing(self.driver.run(task)) as events:
                async for event in events:
                    self._record(event)
        except Unattended:
            return Outcome(RunStatus.WAITING)
        except LimitReached as limit:
            return Outcome(limit.status, limit.fault)
        except ThreadlineError as error:
            return Outcome(RunStatus.FAILED, Fault(error.code, error.message))
        except Exception as error:  # noqa: BLE001  (a driver is foreign code; its failure is the run's)
            return Outcome(RunStatus.FAILED, Fault("agent_failed", str(error) or type(error).__name__))
        finally:
            self._note_usage(task)
        if self._limit is not None:  # the driver went on after it was told
            return Outcome(self._limit.status, self._limit.fault)
        return Outcome(RunStatus.COMPLETED)

    async def call(self, task: Task, tool: str | Tool, arguments: Mapping[str, JSON]) -> ToolOutcome:
        """Run a tool for the driver. Raises LimitReached; whatever else goes wrong is told in the outcome."""
        (outcome,) = await self.call_all(task, [(tool, arguments)])
        return outcome

    async def call_all(self, task: Task, wishes: Sequence[Wish]) -> list[ToolOutcome]:
        """Run tools one after another, after people were asked about all that need their word."""
        announced = [self._announce(task, tool, to_json(dict(arguments))) for tool, arguments in wishes]
        return [
            made if isinstance(made, ToolOutcome) else await self._finish(task, made) for made in announced
        ]

    def _announce(self, task: Task, wanted: str | Tool, given: JSON) -> Announced | ToolOutcome:
        self._speaking = False
        self._count_step()
        tool = wanted if isinstance(wanted, Tool) else task.tools.get(wanted)
        if tool is None:
            name = str(wanted)
            return ToolOutcome(uuid7(), name, fault=Fault("tool_unknown", f"There is no tool {name}."))
        known = self._take(self._answered, tool.name, given)
        if known is not None:
            self.recorder.tool_known()
            return ToolOutcome(known.call, tool.name, known.output, known.error)
        interrupted = self._take(self._unknown, tool.name, given)
        call = uuid7() if interrupted is None else interrupted.call
        self.recorder.tool_called(call, tool, given)
        if tool.requires_approval:
            self.recorder.ask(call, tool, given)
        return Announced(call, tool, given)

    async def _finish(self, task: Task, announced: Announced) -> ToolOutcome:
        outcome = await self._outcome(task, announced)
        self.recorder.tool_returned(outcome)
        return outcome

    async def _outcome(self, task: Task, made: Announced) -> ToolOutcome:
        call, tool = made.call, made.tool
        if tool.requires_approval:
            word = await self.recorder.approve(call)
            if not word.approved:
                return ToolOutcome(call, tool.name, fault=Fault("rejected", f"Rejected: {word.reason}"))
            if word.begun:
                message = "The worker was lost while this ran; whether it took effect is not known."
                return ToolOutcome(call, tool.name, fault=Fault("outcome_unknown", message))
            await self.recorder.start(call)
        try:
            assert isinstance(made.arguments, dict)
            output = await tool.call(made.arguments, session=task.session, context=task.context)
        except ToolFailed as failed:
            return ToolOutcome(call, tool.name, fault=Fault(failed.code, failed.message))
        return ToolOutcome(call, tool.name, output)

    # what attempts before this one have done

    async def _settle_earlier(self, task: Task) -> None:
        """Finish the calls that waited for a word or were begun after one, whatever the driver does next."""
        self._sort_earlier()
        for step in list(self._unknown):
            tool = task.tools.get(step.name)
            if tool is None or not tool.requires_approval:
                continue
            self._unknown.remove(step)
            self.recorder.ask(step.call, tool, step.input)
            outcome = await self._finish(task, Announced(step.call, tool, step.input))
            self._answered.append(replace(step, output=outcome.output, error=outcome.fault))

    def _sort_earlier(self) -> None:
        calls = {step.call: step for step in self.earlier if step.type == StepType.TOOL_CALL}
        results = {step.call: step for step in self.earlier if step.type == StepType.TOOL_RESULT}
        for call, step in calls.items():
            if call in results:
                self._answered.append(replace(results[call], input=step.input))
            else:
                self._unknown.append(step)

    def _made(self) -> Iterator[Made]:
        for step in sorted((*self._answered, *self._unknown), key=lambda step: step.number):
            arguments = step.input if isinstance(step.input, dict) else {}
            yield Made(step.call, step.name, arguments)

    def _take(self, steps: list[Step], name: str, arguments: JSON) -> Step | None:
        """The first of `steps` that is the same call, taken out of the list."""
        wanted = arguments_hash(arguments)
        for index, step in enumerate(steps):
            if step.name == name and arguments_hash(step.input) == wanted:
                return steps.pop(index)
        return None

    # what the driver tells

    def _record(self, event: DriverEvent) -> None:
        match event:
            case Thought(text=text):
                self._speaking = False
                self.recorder.thought(text)
            case Said(text=text):
                if not self._speaking:
                    self._count_step()
                    self._speaking = True
                self._count_tokens(text)
                self.recorder.said(text)
            case Used():
                self.usage = Usage(
                    self.usage.input_tokens + event.input_tokens,
                    self.usage.output_tokens + event.output_tokens,
                    event.source,
                    _sum_of(self.usage.cost_usd, event.cost_usd),
                )
                self.recorder.used(self.usage)
            case Handed():
                self.handed = event

    def _count_step(self) -> None:
        if self._steps >= self.limits.max_steps:
            message = f"The run may take {self.limits.max_steps} steps."
            self._limit = LimitReached(RunStatus.MAX_STEPS_REACHED, Fault("max_steps_reached", message))
            raise self._limit
        self._steps += 1

    def _count_tokens(self, text: str) -> None:
        self._output_tokens += estimate_tokens(text)
        if self._output_tokens > self.limits.max_tokens:
            message = f"The run may put out {self.limits.max_tokens} tokens."
            self._limit = LimitReached(RunStatus.FAILED, Fault("max_tokens_reached", message))
            raise self._limit

    def _note_usage(self, task: Task) -> None:
        """An estimate where the driver reported nothing."""
        if self.usage.total_tokens:
            return
        read = sum(estimate_tokens(turn.content) for turn in task.turns)
        self.usage = Usage(read, self._output_tokens, "estimate")
        self.recorder.used(self.usage)


def _sum_of(known: float | None, more: float | None) -> float | None:
    """What is known of a cost; None where nothing is."""
    return known if more is None else (known or 0.0) + more

"""Events of a run, as a projection of the document.

Nothing is recorded for them: the list follows from the run's steps and the text of its reply, so a device
that joins late gets the same list as one that watched. Every event has an id that names its place;
projecting from the id of the last event seen gives exactly what came after it. Texts arrive in pieces for
those who watch and in one piece for those who come late; a piece says at which offset of its text it stands
(UTF-16 units), and a piece at a lower offset than seen replaces what was there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from threadline.document.runs import Run
from threadline.document.steps import Step, StepType
from threadline.document.text_edit import slice_utf16, utf16_length
from threadline.document.values import JSON, mapping_of, to_json

if TYPE_CHECKING:
    from threadline.document.session_document import SessionDocument


class EventType(StrEnum):
    SESSION_START = "session_start"
    STEP_START = "step_start"
    THINKING = "thinking"
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    STEP_COMPLETE = "step_complete"
    OUTPUT = "output"
    ERROR = "error"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    """`id` is unique within the run and names the event's place in the list."""

    type: ClassVar[EventType]
    id: str
    run: str

    def to_json(self) -> dict[str, JSON]:
        """The event as an object with its `type`."""
        return {"type": str(self.type)} | mapping_of(to_json(asdict(self)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStart(_Event):
    type: ClassVar[EventType] = EventType.SESSION_START
    agent: str
    goal: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStart(_Event):
    type: ClassVar[EventType] = EventType.STEP_START
    step_number: int
    step_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinking(_Event):
    type: ClassVar[EventType] = EventType.THINKING
    step_number: int
    offset: int
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall(_Event):
    type: ClassVar[EventType] = EventType.TOOL_CALL
    step_number: int
    call: str
    tool_name: str
    arguments: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult(_Event):
    type: ClassVar[EventType] = EventType.TOOL_RESULT
    step_number: int
    call: str
    tool_name: str
    output: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class StepComplete(_Event):
    type: ClassVar[EventType] = EventType.STEP_COMPLETE
    step_number: int
    duration_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output(_Event):
    type: ClassVar[EventType] = EventType.OUTPUT
    step_number: int
    message: str
    offset: int
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Error(_Event):
    """A tool failed (`step_number`, `tool_name`) or the run did (neither)."""

    type: ClassVar[EventType] = EventType.ERROR
    code: str
    message: str
    step_number: int | None = None
    tool_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(_Event):
    type: ClassVar[EventType] = EventType.DONE
    status: str
    output: str
    tokens_used: int
    duration_ms: int | None


Event: TypeAlias = (
    SessionStart | StepStart | Thinking | ToolCall | ToolResult | StepComplete | Output | Error | Done
)


class _Phase(IntEnum):
    START = 0
    BODY = 1
    COMPLETE = 2


_END_STEP = 1 << 53  # after every step: the run's own error, then done


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A place in the list: a step's position, a phase within it, an offset within its text."""

    step: int
    phase: int
    offset: int = 0


BEFORE_ALL = Cursor(-2, 0)
_STARTED = Cursor(-1, 0)
_DIGITS = re.compile("[0-9]{1,15}")
_NAMES = {"start": _Phase.START, "complete": _Phase.COMPLETE}


def read_cursor(event_id: str | None) -> Cursor:
    """The place that an event id names; the start of the list where it names none."""
    if event_id == "start":
        return _STARTED
    if event_id in ("error", "done"):
        return Cursor(_END_STEP, 0 if event_id == "error" else 1)
    number, _, rest = (event_id or "").partition(".")
    name, _, offset = rest.partition(".")
    if _DIGITS.fullmatch(number) is None or not name or _DIGITS.fullmatch(offset or "0") is None:
        return BEFORE_ALL
    return Cursor(int(number) - 1, _NAMES.get(name, _Phase.BODY), int(offset or 0))


def project(document: SessionDocument, run_id: str, after: str | None = None) -> list[Event]:
    """Events of a run after the one whose id is `after`, oldest first; all of them for None.

    An empty list where the run is not there yet.
    """
    if run_id not in document.runs:
        return []
    with document.doc.transaction():
        run = document.runs.fields(run_id)
        cursor = read_cursor(after)
        first = max(0, cursor.step)
        steps = document.runs.steps(run_id).since(first) if cursor.step < _END_STEP else []
        message = document.messages.get(run.message) if run.message else None
    return list(_events(run, steps, first, "" if message is None else message.text, cursor))


def is_finished(events: list[Event]) -> bool:
    """Whether nothing can follow these events."""
    return bool(events) and isinstance(events[-1], Done)


def _events(run: Run, steps: list[Step], first: int, reply: str, after: Cursor) -> Iterator[Event]:
    over = run.status.is_terminal
    if after < _STARTED and (run.started_at is not None or over):
        yield SessionStart(
            id="start", run=run.id, agent=run.agent, goal=run.goal, at=run.started_at or run.created_at
        )
    for index, step in enumerate(steps, start=first):
        closed = over or step.ended_at is not None or index < first + len(steps) - 1
        yield from _step_events(run, index, step, reply, closed, after)
        if not closed:
            return
    if over:
        yield from _last_events(run, reply, after)


def _step_events(
    run: Run, index: int, step: Step, reply: str, closed: bool, after: Cursor
) -> Iterator[Event]:
    number = index + 1
    if after < Cursor(index, _Phase.START):
        yield StepStart(id=f"{number}.start", run=run.id, step_number=number, step_type=step.type)
    yield from _body_events(run, index, step, reply, after)
    if closed and after < Cursor(index, _Phase.COMPLETE):
        yield StepComplete(
            id=f"{number}.complete", run=run.id, step_number=number, duration_ms=step.duration_ms
        )


def _body_events(run: Run, index: int, step: Step, reply: str, after: Cursor) -> Iterator[Event]:
    if after >= Cursor(index, _Phase.COMPLETE):
        return
    if step.type in (StepType.OUTPUT, StepType.THINKING):
        yield from _text_events(run, index, step, reply, after)
    elif after < Cursor(index, _Phase.BODY):
        number, body_id = index + 1, f"{index + 1}.{step.type}"
        match step.type:
            case StepType.TOOL_CALL:
                yield ToolCall(
                    id=body_id,
                    run=run.id,
                    step_number=number,
                    call=step.call,
                    tool_name=step.name,
                    arguments=step.input,
                )
            case StepType.TOOL_RESULT:
                yield ToolResult(
                    id=body_id,
                    run=run.id,
                    step_number=number,
                    call=step.call,
                    tool_name=step.name,
                    output=step.output,
                )
            case StepType.ERROR:
                code, message = (step.error.code, step.error.message) if step.error else ("error", "")
                yield Error(
                    id=body_id,
                    run=run.id,
                    code=code,
                    message=message,
                    step_number=number,
                    tool_name=step.name,
                )


def _text_events(run: Run, index: int, step: Step, reply: str, after: Cursor) -> Iterator[Event]:
    """What is new of a thought or an answer; the event's id carries the offset of its end."""
    number = index + 1
    output = step.type == StepType.OUTPUT
    text, start = (reply, step.start) if output else (step.text, 0)
    seen = after.offset if (after.step, after.phase) == (index, _Phase.BODY) else start
    end = utf16_length(text) if step.end is None else step.end
    content = slice_utf16(text, seen, end) if end > seen else ""
    if not content:
        return
    event_id = f"{number}.{step.type}.{end}"
    if output:
        yield Output(
            id=event_id, run=run.id, step_number=number, message=run.message, offset=seen, content=content
        )
    else:
        yield Thinking(id=event_id, run=run.id, step_number=number, offset=seen, content=content)


def _last_events(run: Run, reply: str, after: Cursor) -> Iterator[Event]:
    if run.error is not None and after < Cursor(_END_STEP, 0):
        yield Error(id="error", run=run.id, code=run.error.code, message=run.error.message)
    if after < Cursor(_END_STEP, 1):
        yield Done(
            id="done",
            run=run.id,
            status=str(run.status),
            output=reply,
            tokens_used=run.usage.total_tokens,
            duration_ms=run.duration_ms,
        )

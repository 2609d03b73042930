"""Events of a streamed answer, as chat protocols send them, from the events of a run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from threadline.agents.message import AgentMessage, ExecutedToolCall, ToolCallData
from threadline.agents.response import AgentResponse
from threadline.document.events import Done, Error, Event, Output, ToolResult


@dataclass(frozen=True, slots=True)
class TextDelta:
    type: ClassVar[str] = "text_delta"
    text: str


@dataclass(frozen=True, slots=True)
class ExecutedToolCalls:
    """A call came to an end."""

    type: ClassVar[str] = "executed_tool_calls"
    executed_tool_calls: tuple[ExecutedToolCall, ...]


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """Calls that wait for a word."""

    type: ClassVar[str] = "tool_calls"
    tool_calls: tuple[ToolCallData, ...]


@dataclass(frozen=True, slots=True)
class StreamDone:
    """The last event of an answer; `message` is what `chat` would have given."""

    type: ClassVar[str] = "done"
    stop_reason: str
    message: AgentMessage


@dataclass(frozen=True, slots=True)
class StreamError:
    """The last event where the agent failed."""

    type: ClassVar[str] = "error"
    error: str
    code: str


StreamEvent: TypeAlias = TextDelta | ExecutedToolCalls | ToolCalls | StreamDone | StreamError


async def stream_events(
    events: AsyncIterator[Event], response: Callable[[], AgentResponse]
) -> AsyncGenerator[StreamEvent, None]:
    """`response` is asked once the events are over."""
    stop_reason = "waiting"
    failure: Error | None = None
    async for event in events:
        match event:
            case Output():
                yield TextDelta(event.content)
            case ToolResult():
                made = next(m for m in response().executed_tools if m.id == event.call)
                call = ExecutedToolCall(
                    id=made.id, name=made.name, input=made.input, output=made.error or made.text
                )
                yield ExecutedToolCalls((call,))
            case Error(step_number=None):
                failure = event
            case Done():
                stop_reason = event.status
    if failure is not None:
        yield StreamError(failure.message, failure.code)
        return
    message = response().to_message()
    if message.data.tool_calls:
        yield ToolCalls(tuple(message.data.tool_calls))
    yield StreamDone(stop_reason, message)

"""What comes of running an agent without a server: text, calls that were made or wait, the session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from threadline.agents.message import AgentMessage, ExecutedToolCall, MessageData, ToolCallData
from threadline.document.runs import Run
from threadline.document.steps import StepType
from threadline.document.values import JSON
from threadline.ready import Ready

Decide = Callable[[str, bool, str], bool]
"""Records a word on a call: its id, whether it is approved, why. False where somebody else was first."""


@dataclass(slots=True)
class ToolApproval:
    """A call that needs a person's word, as a custom agent function gives it back."""

    id: str
    name: str
    input: dict[str, Any] = field(default_factory=dict)
    description: str = ""
    intent: str = ""


@dataclass(slots=True)
class ToolResult:
    """A call that was made."""

    id: str
    name: str
    input: dict[str, Any] = field(default_factory=dict)
    output: Any = ""
    error: str | None = None

    @property
    def text(self) -> str:
        return self.output if isinstance(self.output, str) else repr(self.output)


@dataclass(slots=True)
class PendingToolCall:
    """A call that waits. The first word counts; then `agent.resume` goes on."""

    id: str
    name: str
    input: dict[str, Any]
    description: str = ""
    _decide: Callable[[str, bool, str], bool] = field(default=lambda call, approved, reason: True, repr=False)

    def approve(self) -> bool:
        """Let it go ahead. False where it was decided before."""
        return self._decide(self.id, True, "")

    def reject(self, reason: str = "User declined") -> bool:
        """Keep it from being made; the model is told why. False where it was decided before."""
        return self._decide(self.id, False, reason)


@dataclass(slots=True)
class AgentResult:
    """What a custom agent function gives back where a text is not enough.

    `session`, where it is not empty, becomes the session's state; left out, the session stays as the function
    left it.
    """

    text: str = ""
    pending_tools: list[ToolApproval] = field(default_factory=list)
    executed_tools: list[ToolResult] = field(default_factory=list)
    session: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def needs_approval(self) -> bool:
        return bool(self.pending_tools)

    @classmethod
    def from_agent_response(cls, response: AgentResponse) -> AgentResult:
        return cls(
            text=response.text,
            pending_tools=[
                ToolApproval(call.id, call.name, call.input, call.description)
                for call in response.pending_tools
            ],
            executed_tools=list(response.executed_tools),
            session=response.session,
        )

    def to_message(self) -> AgentMessage:
        return _message(self.text, self.pending_tools, self.executed_tools, self.session, self.metadata)


@dataclass(slots=True)
class AgentResponse(Ready):
    """text:           the reply
    tool_calls:     every call, `{"id", "name", "input"}`
    executed_tools: those that came to an end, with what came of them
    pending_tools:  those that wait for a word
    usage:          `input_tokens`, `output_tokens`, `total_tokens`, their `source`, `cost_usd` (or None)
    raw:            the run with its steps
    session:        the state afterwards, as plain JSON
    """

    text: str
    tool_calls: list[dict[str, Any]]
    executed_tools: list[ToolResult]
    pending_tools: list[PendingToolCall]
    usage: dict[str, Any]
    raw: Run
    conversation_id: str
    session: dict[str, Any]
    agent: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def needs_approval(self) -> bool:
        return bool(self.pending_tools)

    @property
    def is_complete(self) -> bool:
        return not self.needs_approval

    def approve_all(self) -> None:
        for call in self.pending_tools:
            call.approve()

    def reject_all(self, reason: str = "User declined") -> None:
        for call in self.pending_tools:
            call.reject(reason)

    def to_message(self) -> AgentMessage:
        """For the wire: state in `data.session`, calls that wait in `data.tool_calls`."""
        message = _message(self.text, self.pending_tools, self.executed_tools, self.session, self.metadata)
        message.meta_data["conversation_id"] = self.conversation_id
        message.agent = {"name": self.agent, "id": self.agent} if self.agent else None
        return message


def _message(
    text: str,
    pending: list[Any],
    executed: list[ToolResult],
    session: dict[str, Any],
    metadata: dict[str, Any],
) -> AgentMessage:
    calls = [
        ToolCallData(id=call.id, name=call.name, input=call.input, tool_description=call.description)
        for call in pending
    ]
    results = [
        ExecutedToolCall(id=made.id, name=made.name, input=made.input, output=made.error or made.text)
        for made in executed
    ]
    meta = {**metadata, "has_pending_approvals": bool(calls), "is_complete": not calls}
    data = MessageData(tool_calls=calls, executed_tool_calls=results, session=session)
    return AgentMessage(content=text, data=data, meta_data=meta)


def executed_in(run: Run) -> list[ToolResult]:
    """Calls of a run that came to an end, in their order."""
    asked: dict[str, JSON] = {step.call: step.input for step in run.steps if step.type == StepType.TOOL_CALL}
    found = []
    for step in run.steps:
        if step.type != StepType.TOOL_RESULT:
            continue
        arguments = asked.get(step.call)
        error = None if step.error is None else _error_text(step.error.code, step.error.message)
        found.append(
            ToolResult(
                step.call,
                step.name,
                arguments if isinstance(arguments, dict) else {},
                "" if step.output is None else step.output,
                error,
            )
        )
    return found


def _error_text(code: str, message: str) -> str:
    return f"Tool {message[0].lower()}{message[1:]}" if code == "rejected" else message

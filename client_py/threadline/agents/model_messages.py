"""A history as pydantic-ai's messages, and what became of earlier calls as a model would have seen it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from threadline.agents.driver import Made, Task, ToolOutcome, Turn
from threadline.document.values import JSON


def history_of(task: Task) -> list[ModelMessage]:
    """The turns, then the goal where nobody has said it. Several people are told apart by their names."""
    people = {turn.user for turn in task.turns if turn.role == "user" and turn.user}
    messages: list[ModelMessage] = []
    for turn in task.turns:
        if turn.role == "assistant":
            messages.append(ModelResponse(parts=[TextPart(turn.content)]))
        else:
            messages.append(ModelRequest(parts=[_request_part(turn, named=len(people) > 1)]))
    if task.goal and all(turn.content != task.goal for turn in task.turns):
        messages.append(ModelRequest(parts=[UserPromptPart(task.goal)]))
    return messages


def said(turns: Iterable[Turn]) -> list[ModelRequestPart]:
    return [UserPromptPart(turn.content) for turn in turns]


def made(calls: Sequence[Made], outcomes: Sequence[ToolOutcome]) -> list[ModelMessage]:
    """Calls of an earlier attempt with their results."""
    messages: list[ModelMessage] = []
    for call, outcome in zip(calls, outcomes, strict=True):
        asked = ToolCallPart(call.name, dict(call.arguments), tool_call_id=call.call)
        answer = ToolReturnPart(call.name, told(outcome), tool_call_id=call.call)
        messages += [ModelResponse(parts=[asked]), ModelRequest(parts=[answer])]
    return messages


def told(outcome: ToolOutcome) -> JSON:
    """What the model reads of a call: its result as it is, a fault in words."""
    return outcome.output if outcome.fault is None else outcome.text


def instructions(task: Task) -> str | None:
    """The system text, and the context as JSON."""
    parts = [task.system]
    if task.context:
        parts.append("Context:\n" + json.dumps(task.context, ensure_ascii=False))
    return "\n\n".join(part for part in parts if part) or None


def _request_part(turn: Turn, *, named: bool) -> ModelRequestPart:
    if turn.role != "user":
        return SystemPromptPart(turn.content)
    return UserPromptPart(f"{turn.user}: {turn.content}" if named and turn.user else turn.content)

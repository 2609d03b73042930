"""Events of a run in the words of AG-UI (https://docs.ag-ui.com), the protocol between agents and web pages.

An encoding of the one projection: each of our events is some of theirs, so a stream that goes on after the
last event seen goes on in AG-UI too. Steps of text are messages of their own, `<run>/<step>`. Where a lost
worker's words were taken back, a `CUSTOM` event `text_taken_back` names the messages to drop. The run's own
failure is its end: `RUN_ERROR`.
"""

from __future__ import annotations

import json
from typing import TypeAlias

from threadline.document.events import (
    Done,
    Error,
    Event,
    Output,
    SessionStart,
    StepComplete,
    StepStart,
    Thinking,
    ToolCall,
    ToolResult,
)
from threadline.document.lifecycle import RunStatus
from threadline.document.session_document import SessionDocument
from threadline.document.steps import Step, StepType
from threadline.document.values import JSON

AgUiEvent: TypeAlias = dict[str, JSON]


class AgUiEncoder:
    """Of one run in a document; `session` is the thread. It keeps nothing between calls."""

    def __init__(self, document: SessionDocument, session: str, run_id: str) -> None:
        self._document = document
        self._session = session
        self._run_id = run_id

    def encode(self, event: Event) -> list[AgUiEvent]:
        """Theirs for one of ours, as JSON objects; some have none."""
        match event:
            case SessionStart():
                return [self._of_run("RUN_STARTED")]
            case StepStart():
                return self._started(event)
            case Thinking():
                return [self._content("REASONING_MESSAGE_CONTENT", event)]
            case Output():
                return [self._content("TEXT_MESSAGE_CONTENT", event)]
            case ToolCall():
                return _called(event)
            case ToolResult():
                return [self._returned(event)]
            case StepComplete():
                return self._completed(event)
            case Error(step_number=int()):
                value: JSON = {"code": event.code, "message": event.message, "toolCallName": event.tool_name}
                return [{"type": "CUSTOM", "name": "tool_error", "value": value}]
            case Done():
                return [self._done(event)]
        return []

    def _of_run(self, kind: str, **fields: JSON) -> AgUiEvent:
        return {"type": kind, "threadId": self._session, "runId": self._run_id, **fields}

    def _message(self, number: int) -> str:
        return f"{self._run_id}/{number}"

    def _step(self, number: int) -> Step:
        return self._document.runs.steps(self._run_id)[number - 1]

    def _started(self, event: StepStart) -> list[AgUiEvent]:
        number, message = event.step_number, self._message(event.step_number)
        begun: list[AgUiEvent] = [{"type": "STEP_STARTED", "stepName": _name(number, event.step_type)}]
        if event.step_type == StepType.OUTPUT:
            taken_back = self._taken_back(number)
            if taken_back:
                begun.append({"type": "CUSTOM", "name": "text_taken_back", "value": taken_back})
            begun.append({"type": "TEXT_MESSAGE_START", "messageId": message, "role": "assistant"})
        elif event.step_type == StepType.THINKING:
            begun.append({"type": "REASONING_START", "messageId": message})
            begun.append({"type": "REASONING_MESSAGE_START", "messageId": message, "role": "reasoning"})
        return begun

    def _taken_back(self, number: int) -> list[JSON]:
        """Messages of lost attempts, told with the first words of the attempt that took over."""
        outputs = [step for step in self._document.runs.steps(self._run_id).since(0) if _speaks(step)]
        attempt = self._step(number).attempt
        if any(step.attempt == attempt and step.number < number for step in outputs):
            return []
        return [self._message(step.number) for step in outputs if step.attempt < attempt and step.end == 0]

    def _completed(self, event: StepComplete) -> list[AgUiEvent]:
        message, kind = self._message(event.step_number), self._step(event.step_number).type
        ended: list[AgUiEvent] = []
        if kind == StepType.OUTPUT:
            ended.append({"type": "TEXT_MESSAGE_END", "messageId": message})
        elif kind == StepType.THINKING:
            ended.append({"type": "REASONING_MESSAGE_END", "messageId": message})
            ended.append({"type": "REASONING_END", "messageId": message})
        return [*ended, {"type": "STEP_FINISHED", "stepName": _name(event.step_number, kind)}]

    def _content(self, kind: str, event: Output | Thinking) -> AgUiEvent:
        return {"type": kind, "messageId": self._message(event.step_number), "delta": event.content}

    def _returned(self, event: ToolResult) -> AgUiEvent:
        fault = self._step(event.step_number).error
        content = _text(event.output) if fault is None else f"Error: {fault.message}"
        return {
            "type": "TOOL_CALL_RESULT",
            "messageId": self._message(event.step_number),
            "toolCallId": event.call,
            "content": content,
            "role": "tool",
        }

    def _done(self, event: Done) -> AgUiEvent:
        run = self._document.runs.fields(self._run_id)
        usage: JSON = [
            {
                "inputTokens": run.usage.input_tokens,
                "outputTokens": run.usage.output_tokens,
                "totalTokens": run.usage.total_tokens,
            }
        ]
        if event.status == RunStatus.COMPLETED:
            return self._of_run("RUN_FINISHED", outcome={"type": "success"}, usage=usage)
        if event.status == RunStatus.CANCELLED:
            return self._of_run("RUN_FINISHED", outcome={"type": "cancelled"}, usage=usage)
        message = f"The run ended as {event.status}." if run.error is None else run.error.message
        code = event.status if run.error is None else run.error.code
        return {"type": "RUN_ERROR", "message": message, "code": code, "usage": usage}


def _called(event: ToolCall) -> list[AgUiEvent]:
    return [
        {"type": "TOOL_CALL_START", "toolCallId": event.call, "toolCallName": event.tool_name},
        {"type": "TOOL_CALL_ARGS", "toolCallId": event.call, "delta": _text(event.arguments)},
        {"type": "TOOL_CALL_END", "toolCallId": event.call},
    ]


def _text(value: JSON) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _name(number: int, kind: str) -> str:
    return f"{number} {kind}"


def _speaks(step: Step) -> bool:
    return step.type == StepType.OUTPUT

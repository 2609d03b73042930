"""Answers of the HelpDesk protocol: a message, or events of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from threadline.agents.helpdesk.request import ChatRequest
from threadline.agents.message import AgentMessage
from threadline.agents.streaming import (
    ExecutedToolCalls,
    StreamDone,
    StreamError,
    StreamEvent,
    TextDelta,
    ToolCalls,
)

_TOOL_REJECTED, _REJECTED = "Tool rejected:", "Rejected:"
_LISTS = (
    "cmds",
    "executed_cmds",
    "tool_calls",
    "executed_tool_calls",
    "approvals",
    "executed_approvals",
    "url_configs",
    "user_file_uploads",
)

Json = dict[str, Any]


def message_of(message: AgentMessage, request: ChatRequest) -> Json:
    """The message with every field of the protocol, and what the request brought beside its messages."""
    sent = message.model_dump()
    data = sent["data"]
    sent["data"] = {
        **{name: [] for name in _LISTS},
        **data,
        "approvals": [_approval(call) for call in data["tool_calls"]],
        "executed_approvals": _executed_approvals(data["executed_tool_calls"], request),
    }
    if request.extras:
        sent["meta_data"] = {**sent["meta_data"], "request_context": request.extras}
    return sent


def events_of(event: StreamEvent, request: ChatRequest) -> Iterator[Json]:
    """What is sent for an event of the agent; approvals are told in both their forms."""
    match event:
        case TextDelta():
            yield {"type": event.type, "text": event.text}
        case ExecutedToolCalls():
            calls = [call.model_dump() for call in event.executed_tool_calls]
            approvals = _executed_approvals(calls, request)
            if approvals:
                yield {"type": "executed_approvals", "executed_approvals": approvals}
            yield {"type": event.type, "executed_tool_calls": calls}
        case ToolCalls():
            calls = [call.model_dump() for call in event.tool_calls]
            yield {"type": "approvals", "approvals": [_approval(call) for call in calls]}
            yield {"type": event.type, "tool_calls": calls}
        case StreamDone():
            sent = message_of(event.message, request)
            meta = sent["meta_data"]
            yield {
                "type": event.type,
                "stop_reason": event.stop_reason,
                "meta_data": meta,
                "data": sent["data"],
            }
        case StreamError():
            yield {"type": event.type, "error": event.error}


def _approval(call: Mapping[str, Any]) -> Json:
    return {
        "id": call["id"],
        "type": "tool_call",
        "name": call["name"],
        "input": call["input"],
        "execute": False,
        "rejection_reason": None,
        "description": call.get("tool_description", ""),
        "intent": call.get("intent", ""),
    }


def _executed_approvals(calls: Sequence[Mapping[str, Any]], request: ChatRequest) -> list[Json]:
    found = []
    for call in calls:
        if call["id"] in request.unified:
            output = call["output"]
            if output.startswith(_TOOL_REJECTED):
                output = _REJECTED + output.removeprefix(_TOOL_REJECTED)
            found.append({**call, "type": "tool_call", "output": output})
    return found

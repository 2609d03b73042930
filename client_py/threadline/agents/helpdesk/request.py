"""A request of the HelpDesk protocol, read into what an agent is given."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from threadline.errors import ThreadlineError

_MESSAGES = "messages"


class BadRequest(ThreadlineError):
    """The body is no request of the protocol."""

    code = "bad_request"


class InvalidJson(BadRequest):
    code = "invalid_json"


class MissingMessages(BadRequest):
    code = "missing_messages"


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """messages:    the history; decisions on approvals are among the last one's `tool_calls`
    context:    the last message's `platform_context`
    state:      the session's state, as it travelled here
    extras:     other fields of the request, echoed in the answer
    unified:    ids of calls that the client decided as `approvals`
    """

    messages: list[dict[str, Any]]
    context: dict[str, Any]
    state: dict[str, Any]
    extras: dict[str, Any]
    unified: frozenset[str]


def read_request(body: bytes | str) -> ChatRequest:
    """Raises InvalidJson, MissingMessages, BadRequest."""
    try:
        given = json.loads(body)
    except ValueError:
        raise InvalidJson("Invalid JSON") from None
    if not isinstance(given, dict) or _MESSAGES not in given:
        raise MissingMessages("'messages' field missing from request body")
    messages = given[_MESSAGES]
    if not isinstance(messages, list) or not messages:
        raise BadRequest("messages cannot be empty")
    if not all(isinstance(message, dict) for message in messages):
        raise BadRequest("each message is an object with a role and content")
    last, unified = _with_decisions(messages[-1])
    return ChatRequest(
        messages=[*messages[:-1], last],
        context=_mapping(last.get("platform_context")),
        state=_state(messages),
        extras={name: value for name, value in given.items() if name != _MESSAGES},
        unified=unified,
    )


def _state(messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The newest that a message brings; an empty one is a session that was cleared, and stays so."""
    for message in reversed(messages):
        data = _mapping(message.get("data"))
        if isinstance(data.get("session"), dict):
            return dict(data["session"])
    return {}


def _with_decisions(message: dict[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """The message with decisions on `approvals` written as decisions on tool calls."""
    data = _mapping(message.get("data"))
    calls = [call for call in data.get("tool_calls") or () if isinstance(call, dict)]
    decided = [
        each
        for each in data.get("approvals") or ()
        if isinstance(each, dict) and (each.get("execute") is True or each.get("rejection_reason"))
    ]
    if not decided:
        return message, frozenset()
    ids = frozenset(str(each.get("id")) for each in decided)
    others = [call for call in calls if str(call.get("id")) not in ids]
    return {**message, "data": {**data, "tool_calls": [*others, *decided]}}, ids


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}

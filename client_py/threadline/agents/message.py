"""Messages as chat protocols send them: in, anything that has a role and content; out, an `AgentMessage`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from threadline.agents.driver import Turn
from threadline.document.messages import Message
from threadline.document.values import JSON, mapping_of, text_of, to_json
from threadline.ready import Ready

GivenMessage: TypeAlias = str | Mapping[str, Any] | Message | BaseModel
GivenMessages: TypeAlias = str | Iterable[GivenMessage]

_ROLES = {"agent": "assistant"}


class ToolCallData(BaseModel):
    """A call that waits for a person's word; they send it back with `execute` or a `rejection_reason`."""

    model_config = ConfigDict(extra="allow")

    id: str
    name: str
    input: dict[str, Any] = Field(default_factory=dict)
    execute: bool = False
    tool_description: str = ""
    rejection_reason: str | None = None


class ExecutedToolCall(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: str
    name: str
    input: dict[str, Any] = Field(default_factory=dict)
    output: str = ""


class MessageData(BaseModel):
    """What goes with a message: the session's state, calls that wait and calls that were made."""

    model_config = ConfigDict(extra="allow")

    tool_calls: list[ToolCallData] = Field(default_factory=list)
    executed_tool_calls: list[ExecutedToolCall] = Field(default_factory=list)
    session: dict[str, Any] = Field(default_factory=dict)


class AgentMessage(BaseModel, Ready):
    """An agent's message on the wire."""

    model_config = ConfigDict(extra="allow")

    role: str = "assistant"
    content: str = ""
    data: MessageData = Field(default_factory=MessageData)
    meta_data: dict[str, Any] = Field(default_factory=dict)
    timestamp: str | None = None
    user: dict[str, Any] | None = None
    agent: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class GivenWord:
    """A person's word on a call that an earlier message proposed."""

    call: str
    name: str
    arguments: dict[str, JSON]
    approved: bool
    reason: str


def read_turns(messages: GivenMessages) -> list[Turn]:
    """The history that an agent is given. Raises ValueError where it is empty or something is no message."""
    given = [messages] if isinstance(messages, str) else list(messages)
    if not given:
        raise ValueError("messages cannot be empty")
    return [_turn(message) for message in given]


def read_words(turn: Turn) -> list[GivenWord]:
    """What a message decides about calls: those marked `execute`, or with a `rejection_reason`."""
    calls = mapping_of(turn.data).get("tool_calls")
    found = map(mapping_of, calls if isinstance(calls, list) else [])
    return [
        GivenWord(
            call=text_of(call.get("id")),
            name=text_of(call.get("name")),
            arguments=mapping_of(call.get("input")),
            approved=not call.get("rejection_reason"),
            reason=text_of(call.get("rejection_reason")),
        )
        for call in found
        if call.get("execute") is True or call.get("rejection_reason")
    ]


def session_of(turn: Turn) -> dict[str, JSON]:
    """The session's state as it came with a message."""
    return mapping_of(mapping_of(turn.data).get("session"))


def _turn(message: GivenMessage) -> Turn:
    if isinstance(message, str):
        return Turn("user", message)
    if isinstance(message, Message):
        return Turn(message.role, message.text, message.author.user, message.created_at, message.data)
    fields = message.model_dump() if isinstance(message, BaseModel) else message
    if not isinstance(fields, Mapping) or not isinstance(fields.get("content", ""), str):
        raise ValueError(f"A message is a text or has a role and content; {message!r} has not.")
    role = str(fields.get("role", "user"))
    user = mapping_of(to_json(fields.get("user")))
    data = fields.get("data")
    return Turn(
        _ROLES.get(role, role),
        fields.get("content", ""),
        text_of(user.get("id")) or text_of(user.get("name")),
        data=None if data is None else to_json(data),
    )

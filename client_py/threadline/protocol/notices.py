"""What stock clients have no field for, as JSON in Hocuspocus' Stateless messages.

The hello comes first after authentication; notices come whenever there is something to say. Their fields are
in PROTOCOL.md. The y-websocket dialect has no such message and so no hello and no notices.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from threadline.protocol.errors import InvalidText, UnknownMessage

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ServerInfo:
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Hello:
    """`role` is the caller's in this session, `durability` what an acknowledgement means."""

    session: str
    lineage: str
    user: str
    role: str
    device: str
    durability: str
    server: ServerInfo
    limits: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notice:
    """`code` for programs, `message` for people, `path` where in the document, if anywhere."""

    code: str
    message: str
    path: str | None = None


ServerNote = Hello | Notice

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def encode_note(note: ServerNote) -> str:
    """The payload of a Stateless message."""
    if isinstance(note, Hello):
        server = _fields_of(note.server)
        body: Json = {"type": "hello", **_fields_of(note), "server": server, "limits": dict(note.limits)}
    else:
        body = {
            "type": "notice",
            **{name: value for name, value in _fields_of(note).items() if value is not None},
        }
    return _ENCODER.encode(body)


def _fields_of(note: ServerNote | ServerInfo) -> Json:
    """One level; `asdict` copies all levels, which was half of the cost of a hello."""
    return {each.name: getattr(note, each.name) for each in fields(note)}


def decode_note(payload: str) -> ServerNote:
    """The hello or notice in a Stateless payload; fields that a later server adds are left aside.

    Raises a MalformedFrame: UnknownMessage for JSON of another `type`, which an application may have sent.
    """
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise InvalidText("a stateless payload is not JSON") from error
    if not isinstance(body, dict):
        raise InvalidText("a stateless payload is not an object")
    if body.get("type") == "hello":
        return _read_hello(body)
    if body.get("type") == "notice":
        return _read_notice(body)
    raise UnknownMessage("a stateless payload of another type")


def _read_hello(body: Json) -> Hello:
    server = body.get("server")
    limits = body.get("limits")
    if not isinstance(server, dict) or not isinstance(limits, dict):
        raise InvalidText("a hello without server or limits")
    return Hello(
        session=_text(body, "session"),
        lineage=_text(body, "lineage"),
        user=_text(body, "user"),
        role=_text(body, "role"),
        device=_text(body, "device"),
        durability=_text(body, "durability"),
        server=ServerInfo(_text(server, "name"), _text(server, "version")),
        limits={name: value for name, value in limits.items() if isinstance(value, int | float)},
    )


def _read_notice(body: Json) -> Notice:
    return Notice(
        _text(body, "code"), _text(body, "message"), _text(body, "path") if "path" in body else None
    )


def _text(body: Json, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise InvalidText(f"the field {name} is missing or not a string")
    return value

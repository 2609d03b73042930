"""A session as one JSON object, and back.

The JSON form is complete: importing it and exporting again gives the same. Fields beyond those named here are
kept out of it, so that what is exported is what is documented.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pycrdt import Array, Map, Text

from threadline.document.counters import FOLDED
from threadline.document.lifecycle import TERMINAL
from threadline.document.messages import Author, Message, MessageStatus, Seq, read_author, read_seq
from threadline.document.session_document import SessionDocument
from threadline.document.shared_map import map_at
from threadline.document.values import JSON, mapping_of, number_of, plain, strings_of, text_of, to_json
from threadline.errors import SessionError
from threadline.ids import agent_user, new_entry_id

FORMAT = "threadline/1"

Exported = dict[str, Any]


def to_export(document: SessionDocument, *, session_id: str, user_id: str) -> Exported:
    """The whole session as JSON: `messages`, `context`, `state`, `counters`, `runs` and what it is."""
    runs = document.doc.get("runs", type=Map)
    return {
        "format": FORMAT,
        "session_id": session_id,
        "user_id": user_id,
        "title": document.meta.title,
        "parent": document.meta.parent,
        "context": document.meta.context.to_dict(),
        "messages": [_message(message) for message in document.messages],
        "state": document.state.to_dict(),
        "counters": document.counters.to_dict(),
        "runs": {run_id: _run(runs, run_id) for run_id in document.runs.ids()},
    }


def without_open_ends(exported: Mapping[str, Any]) -> Exported:
    """An export in which nothing is under way: for a session that nobody works on yet, and shall not."""
    runs = {name: mapping_of(run) for name, run in mapping_of(exported.get("runs")).items()}
    messages = exported.get("messages", [])
    return {
        **exported,
        "runs": {name: run for name, run in runs.items() if text_of(run.get("status")) in TERMINAL},
        "messages": [_stopped(message) for message in messages] if isinstance(messages, list) else messages,
        "parent": "",
    }


def _stopped(message: Any) -> Any:
    streams = isinstance(message, Mapping) and message.get("status") == MessageStatus.STREAMING
    return {**message, "status": str(MessageStatus.STOPPED)} if streams else message


def fill(document: SessionDocument, exported: Mapping[str, Any], *, now_ms: int) -> None:
    """Write an export into an empty document, in one transaction.

    Messages may be as plain as `{"role", "content"}`. Raises SessionError, NotSerializable, ValueError.
    """
    messages = exported.get("messages", [])
    if not isinstance(messages, list) or not all(isinstance(message, Mapping) for message in messages):
        raise SessionError("An export has a list of messages, each an object with role and content.")
    with document.transaction():
        if title := text_of(exported.get("title")):
            document.meta.title = title
        if parent := text_of(exported.get("parent")):
            document.meta.parent = parent
        document.meta.context.update(mapping_of(exported.get("context")))
        document.state.update(mapping_of(exported.get("state")))
        for number, message in enumerate(messages, start=1):
            _fill_message(document, message, number, now_ms)
        for name, total in mapping_of(exported.get("counters")).items():
            document.doc.get("counters", type=Map)[f"{name}/{FOLDED}"] = total
        for run_id, run in mapping_of(exported.get("runs")).items():
            document.doc.get("runs", type=Map)[run_id] = _run_map(mapping_of(run))


def _message(message: Message) -> Exported:
    fields: Exported = {
        "id": message.id,
        "role": message.role,
        "content": message.text,
        "author": {
            "user": message.author.user,
            "device": message.author.device,
            "name": message.author.name,
        },
        "created_at": message.created_at,
        "status": message.status,
        "seq": list(message.seq) if message.seq is not None else None,
        "received_at": message.received_at,
        "run": message.run,
        "parent": message.parent,
        "data": message.data,
        "attachments": list(message.attachments) or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _fill_message(document: SessionDocument, fields: Mapping[str, Any], number: int, now_ms: int) -> None:
    role = text_of(fields.get("role"), "user")
    author = read_author(fields.get("author"))
    if not author.user:
        author = Author("guest" if role == "user" else agent_user("assistant"))
    message_id = text_of(fields.get("id")) or new_entry_id(author.user)
    created_at = number_of(fields.get("created_at"), now_ms)
    status = text_of(fields.get("status"), MessageStatus.COMPLETE)
    document.messages.create(
        message_id,
        role=role,
        author=author,
        created_at=created_at,
        text=text_of(fields.get("content"), text_of(fields.get("text"))),
        status=MessageStatus(status) if status in set(MessageStatus) else MessageStatus.COMPLETE,
        run=text_of(fields.get("run")) or None,
        parent=text_of(fields.get("parent")) or None,
        data=fields.get("data"),
        attachments=fields.get("attachments"),
    )
    seq = read_seq(fields.get("seq")) or Seq(number, "")
    document.messages.stamp(message_id, seq, number_of(fields.get("received_at"), created_at))


def _run(runs: Map[Any], run_id: str) -> JSON:
    entry = map_at(runs, run_id)
    return None if entry is None else _unshared(entry)


def _unshared(value: object) -> JSON:
    """A shared type with everything in it as JSON."""
    if isinstance(value, Map):
        return {key: _unshared(value[key]) for key in sorted(value.keys())}
    if isinstance(value, Array):
        return [_unshared(item) for item in value]
    return str(value) if isinstance(value, Text) else plain(value)


def _run_map(run: Mapping[str, JSON]) -> Map[Any]:
    steps = run.get("steps")
    fields: dict[str, Any] = {key: to_json(value) for key, value in run.items()}
    fields["steps"] = Array(
        [_step_map(mapping_of(step)) for step in steps] if isinstance(steps, list) else []
    )
    fields["approvals"] = Map(dict(mapping_of(run.get("approvals"))))
    if isinstance(run.get("tools"), list):
        fields["tools"] = list(strings_of(run.get("tools")))
    return Map(fields)


def _step_map(step: Mapping[str, JSON]) -> Map[Any]:
    fields: dict[str, Any] = {key: value for key, value in step.items() if key != "text"}
    if isinstance(step.get("text"), str):
        fields["text"] = Text(text_of(step.get("text")))
    return Map(fields)

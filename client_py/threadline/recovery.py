"""Going on after the server has refused a replica.

Its clock has advanced past what the server will ever hold, so it can never continue. It is set aside whole;
an empty one joins under a new client id, and what the user said or asked for and the server lacks is written
into it again, as far as the rules allow. What remains is shown, not replayed: a value that others may have
changed since is for a person to decide.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from threadline.document.intents import write_intent
from threadline.document.judgement import ContentKind
from threadline.document.messages import Message
from threadline.document.session_document import SessionDocument
from threadline.document.text_edit import rewrite
from threadline.document.values import same
from threadline.errors import Refused
from threadline.guard import Guard
from threadline.ids import belongs_to
from threadline.offline_file import SetAside


@dataclass(slots=True)
class Recovery:
    """reason:    why the replica was refused, with the path
    replayed:  ids of messages and intents that were written again
    refused:   ids of those that the rules do not allow, with the reason
    kept:      state as it was in the replica that was set aside, where it differs from what there is now
    set_aside: the whole of it
    """

    reason: str
    set_aside: SetAside
    replayed: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)


def replay(old: SessionDocument, new: SessionDocument, user: str, guard: Guard, recovery: Recovery) -> None:
    """Write into `new` what `user` has said and asked in `old`, and note in `recovery` how it went."""
    for message_id in old.messages.ids(retracted=True):
        if belongs_to(message_id, user):
            _try(recovery, message_id, partial(_replay_message, old, new, message_id, guard))
    for intent_id in old.intents.ids():
        if belongs_to(intent_id, user):
            _try(recovery, intent_id, partial(_replay_intent, old, new, intent_id, guard))
    recovery.kept = _differing(old, new)


def _try(recovery: Recovery, key: str, step: Callable[[], bool]) -> None:
    try:
        if step():
            recovery.replayed.append(key)
    except Refused as refused:
        recovery.refused[key] = refused.reason


def _replay_message(old: SessionDocument, new: SessionDocument, message_id: str, guard: Guard) -> bool:
    message = old.messages.get(message_id)
    assert message is not None
    stored = new.messages.get(message_id)
    if stored is None:
        check_message(guard, message)
        new.messages.create(
            message.id,
            role=message.role,
            author=message.author,
            created_at=message.created_at,
            text=message.text,
            parent=message.parent,
            data=message.data,
            attachments=list(message.attachments) or None,
        )
        return True
    if message.text == stored.text or not message.text.startswith(stored.text):
        return False
    guard.write(("messages", message_id, "text", "[]"), kind=ContentKind.STRING)
    return rewrite(new.messages.text(message_id), message.text)


def _replay_intent(old: SessionDocument, new: SessionDocument, intent_id: str, guard: Guard) -> bool:
    intent = old.intents.get(intent_id)
    if intent is None or intent_id in new.intents.ids():
        return False
    guard.write(("intents", intent_id), write_intent(intent))
    new.intents.add(intent)
    return True


def _differing(old: SessionDocument, new: SessionDocument) -> dict[str, Any]:
    now = new.state.to_dict()
    return {
        key: value
        for key, value in old.state.to_dict().items()
        if key not in now or not same(value, now[key])
    }


def check_message(guard: Guard, message: Message) -> None:
    """Ask for every part of a message that is to be written. Raises Refused."""
    base = ("messages", message.id)
    author = {"user": message.author.user, "device": message.author.device, "name": message.author.name}
    guard.write(base, kind=ContentKind.MAP)
    guard.write((*base, "text"), kind=ContentKind.TEXT)
    guard.write((*base, "text", "[]"), kind=ContentKind.STRING)
    for key, value in (("role", message.role), ("author", author), ("created_at", message.created_at)):
        guard.write((*base, key), value)

"""What a transcript is asked for beside its messages: history, size, another list in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from threadline.document.messages import Author, Message, Messages, MessageStatus, Seq, role_of
from threadline.errors import SessionError
from threadline.ids import agent_user, belongs_to, new_entry_id

NewMessage = Mapping[str, Any] | str
"""A message to be: `{"role", "content"}` with fields of `Messages.create`, or a text by the system."""

CountTokens = Callable[[str], int]

TOKENS_PER_MESSAGE = 4
"""What chat formats add around a message."""

_LOCAL_NODE = "local"


def estimate_tokens(text: str) -> int:
    """About how many tokens a model makes of `text`: one per four bytes, at least one per word."""
    return max(len(text.encode()) // 4, len(text.split()))


def token_count(messages: Iterable[Message], count: CountTokens = estimate_tokens) -> int:
    return sum(TOKENS_PER_MESSAGE + count(message.text) for message in messages)


def history(messages: Sequence[Message]) -> list[dict[str, str]]:
    """`[{"role", "content"}, ...]`, as models and chat APIs take it."""
    return [{"role": message.role, "content": message.text} for message in messages]


@dataclass(slots=True)
class Scribe:
    """Writes a transcript on this device alone, where no server gives messages their places.

    `user` is who people's messages are by, `now_ms` the clock. Nobody else gives places meanwhile.
    """

    messages: Messages
    user: str
    now_ms: Callable[[], int]
    _last: int | None = None

    def add(self, fields: Mapping[str, Any], seq: Seq | None = None) -> Message:
        """A new message, at the end or at `seq`. Raises ValueError for an unknown role, NotSerializable."""
        role, text = str(fields.get("role", "system")), str(fields.get("content", fields.get("text", "")))
        author = self.author(role, str(fields.get("name", "")))
        message_id = new_entry_id(author.user)
        options = {name: fields[name] for name in ("data", "attachments", "run", "parent") if name in fields}
        created_at = self.now_ms()
        self.messages.create(
            message_id, role=role, author=author, created_at=created_at, text=text, **options
        )
        self.messages.stamp(message_id, seq or self.next_seq(), created_at)
        message = self.messages.get(message_id)
        assert message is not None
        return message

    def author(self, role: str, name: str = "") -> Author:
        if role == "user":
            return Author(self.user or "guest", name=name)
        return Author(agent_user(name or ("system" if role == "system" else "assistant")), name=name)

    def next_seq(self) -> Seq:
        """The place after all others; looked up once, then counted on."""
        self._last = (self.messages.highest_seq() if self._last is None else self._last) + 1
        return Seq(self._last, _LOCAL_NODE)

    def assign(self, wanted: Iterable[Message | NewMessage]) -> None:
        """Make the transcript be `wanted`: retract what is not in it, create what is new where it stands.

        Messages that are kept must stand in the order they have. Raises SessionError otherwise.
        """
        items = list(wanted)
        kept = [item.id for item in items if isinstance(item, Message) and item.id in self.messages]
        current = self.messages.ids()
        if [message_id for message_id in current if message_id in set(kept)] != kept:
            raise SessionError("Messages that are kept must stay in their order.")
        for message_id in current:
            if message_id not in set(kept):
                self.messages.set_status(message_id, MessageStatus.RETRACTED)
        self._place(items, set(kept))

    def _place(self, items: list[Message | NewMessage], kept: set[str]) -> None:
        before = Seq(0, "")
        for item in items:
            if isinstance(item, Message) and item.id in kept:
                before = item.seq or before
                continue
            before = Seq(before.number, f"{before.node}~")
            self.add(_fields_of(item), before)


@dataclass(frozen=True, slots=True)
class CompactionRequest:
    """What a server is asked to make of a transcript: ids to retract, and new messages with their places."""

    retract: list[str]
    insert: list[dict[str, Any]]


def compaction_of(messages: Messages, wanted: Iterable[Message | NewMessage]) -> CompactionRequest:
    """How `messages` becomes `wanted`. Raises SessionError where what is kept changes its order."""
    items = list(wanted)
    current = messages.ids()
    kept = [item.id for item in items if isinstance(item, Message) and item.id in messages]
    if [message_id for message_id in current if message_id in set(kept)] != kept:
        raise SessionError("Messages that are kept must stay in their order.")
    insert: list[dict[str, Any]] = []
    after: str | None = None
    for item in items:
        if isinstance(item, Message) and item.id in messages:
            after = item.id
            continue
        fields = _fields_of(item)
        role = role_of(str(fields.get("role", "system")))
        content = str(fields.get("content", fields.get("text", "")))
        insert.append({"role": str(role), "content": content, "after": after})
    return CompactionRequest([each for each in current if each not in set(kept)], insert)


def _fields_of(item: Message | NewMessage) -> Mapping[str, Any]:
    if isinstance(item, str):
        return {"role": "system", "content": item}
    if isinstance(item, Message):
        return {"role": item.role, "content": item.text, "name": item.author.name, "data": item.data}
    return item


def is_by(message_id: str, user: str) -> bool:
    """Whether a message is `user`'s own."""
    return belongs_to(message_id, user)

"""The transcript: messages of people, agents and the system, in the order in which the server admitted
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, overload

from pycrdt import Map, Text

from threadline.document.shared_map import SharedMap, map_at, plain_values, text_at, value_at
from threadline.document.text_edit import append
from threadline.document.transcript_order import Place, TranscriptOrder
from threadline.document.values import JSON, mapping_of, number_of, plain, text_of, to_json


class MessageRole(StrEnum):
    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    TOOL = "tool"


class MessageStatus(StrEnum):
    COMPLETE = "complete"
    STREAMING = "streaming"
    STOPPED = "stopped"
    FAILED = "failed"
    RETRACTED = "retracted"


REQUIRED_KEYS = ("role", "author", "created_at", "text")
ROLE_ALIASES = {"agent": MessageRole.ASSISTANT}


class Seq(NamedTuple):
    """A place in the transcript, stamped at admission: a number, then the node as a tie-break."""

    number: int
    node: str


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a message, from which device, and how people call them."""

    user: str
    device: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it is now. `seq` is None while the server has not stamped it: it is still being sent.

    Times are Unix milliseconds; `created_at` is the author's clock, `received_at` the server's.
    """

    id: str
    role: str
    author: Author
    created_at: int
    text: str
    status: str = MessageStatus.COMPLETE
    run: str | None = None
    parent: str | None = None
    data: JSON = None
    attachments: tuple[JSON, ...] = ()
    seq: Seq | None = None
    received_at: int | None = None
    extra: Mapping[str, JSON] = field(default_factory=dict)

    @property
    def content(self) -> str:
        """The text, by the name that chat APIs use."""
        return self.text


def role_of(name: str) -> MessageRole:
    """A role by its name; `agent` is `assistant`. Raises ValueError."""
    alias = ROLE_ALIASES.get(name)
    return alias if alias is not None else MessageRole(name)


class Messages:
    """A live view; indexing, slicing and iteration give snapshots in transcript order without retracted
    ones.
    """

    def __init__(self, entries: SharedMap) -> None:
        self._map = entries
        self._order = TranscriptOrder(entries, self._place)

    def __len__(self) -> int:
        return len(self.ids())

    def __iter__(self) -> Iterator[Message]:
        for message_id in self.ids():
            message = self.get(message_id)
            if message is not None:
                yield message

    @overload
    def __getitem__(self, index: int) -> Message: ...

    @overload
    def __getitem__(self, index: slice) -> list[Message]: ...

    def __getitem__(self, index: int | slice) -> Message | list[Message]:
        ids = self.ids()
        if isinstance(index, slice):
            return [message for message in map(self.get, ids[index]) if message is not None]
        message = self.get(ids[index])
        assert message is not None
        return message

    def __contains__(self, message_id: object) -> bool:
        return isinstance(message_id, str) and self.get(message_id) is not None

    def get(self, message_id: str) -> Message | None:
        """A message by its id, retracted or not; None where it is missing or lacks a required key."""
        entry = map_at(self._map, message_id)
        return None if entry is None else _read(message_id, entry)

    def ids(self, *, retracted: bool = False) -> list[str]:
        """Ids in transcript order: by `seq`, then node; those without one last, by time; `retracted` ones
        on request.
        """
        return self._order.ids(hidden=retracted)

    def create(
        self,
        message_id: str,
        *,
        role: str,
        author: Author,
        created_at: int,
        text: str = "",
        status: MessageStatus = MessageStatus.COMPLETE,
        run: str | None = None,
        parent: str | None = None,
        data: object = None,
        attachments: object = None,
    ) -> Message:
        """Add a message; it and its Text are made in one transaction. Raises ValueError, NotSerializable."""
        entry: dict[str, object] = {
            "role": str(role_of(role)),
            "author": {"user": author.user, "device": author.device, "name": author.name},
            "created_at": created_at,
            "status": str(status),
        }
        optional = {"run": run, "parent": parent, "data": data, "attachments": attachments}
        entry |= {key: to_json(value, f"/{key}") for key, value in optional.items() if value is not None}
        # The text comes last, so that what streams into it follows its creation with nothing in between.
        entry["text"] = Text(to_text(text))
        with self._map.doc.transaction():
            self._map[message_id] = Map(entry)
            self._order.touch(message_id)
        message = self.get(message_id)
        assert message is not None
        return message

    def text(self, message_id: str) -> Text:
        """The shared text of a message, for streaming into it. Raises KeyError."""
        entry = map_at(self._map, message_id)
        text = None if entry is None else text_at(entry, "text")
        if text is None:
            raise KeyError(message_id)
        return text

    def append_text(self, message_id: str, addition: str) -> None:
        append(self.text(message_id), addition)

    def set_status(self, message_id: str, status: MessageStatus) -> None:
        self._entry(message_id)["status"] = str(status)
        self._order.touch(message_id)

    def set_data(self, message_id: str, data: object) -> None:
        self._entry(message_id)["data"] = to_json(data, "/data")

    def stamp(self, message_id: str, seq: Seq, received_at: int) -> None:
        """Give a message its place in the transcript. Only the server may write this."""
        entry = self._entry(message_id)
        with self._map.doc.transaction():
            entry["seq"] = [seq.number, seq.node]
            entry["received_at"] = received_at
            self._order.touch(message_id)

    def unstamped(self) -> list[str]:
        """Ids of messages that have no place yet, in the order they are shown."""
        return [message_id for message_id in self.ids(retracted=True) if self._seq(message_id) is None]

    def highest_seq(self) -> int:
        """The highest number stamped so far; 0 where there is none."""
        stamps = (self._seq(message_id) for message_id in reversed(self.ids(retracted=True)))
        return next((seq.number for seq in stamps if seq is not None), 0)

    def _entry(self, message_id: str) -> SharedMap:
        entry = map_at(self._map, message_id)
        if entry is None:
            raise KeyError(message_id)
        return entry

    def _seq(self, message_id: str) -> Seq | None:
        entry = map_at(self._map, message_id)
        return None if entry is None else read_seq(value_at(entry, "seq"))

    def _place(self, message_id: str) -> tuple[Place, bool] | None:
        """Where a message stands and whether it is shown; None where a required key is missing."""
        entry = map_at(self._map, message_id)
        if entry is None or text_at(entry, "text") is None:
            return None
        fields = plain_values(entry, (*REQUIRED_KEYS, "status", "seq"))
        if any(key not in fields for key in REQUIRED_KEYS):
            return None
        shown = fields.get("status") != MessageStatus.RETRACTED
        seq = read_seq(fields.get("seq"))
        if seq is None:
            return (1, number_of(fields["created_at"]), ""), shown
        return (0, seq.number, seq.node), shown


def to_text(value: str) -> str:
    """Text that a document can hold. Raises NotSerializable where half of a surrogate pair stands in it."""
    return text_of(to_json(value, "/text"))


def read_seq(value: object) -> Seq | None:
    """A stamp: `[number, node]`, or a bare number."""
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], int | float):
        return Seq(number_of(value[0]), text_of(value[1]))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Seq(number_of(value), "")
    return None


def read_author(value: object) -> Author:
    fields = mapping_of(plain(value))
    return Author(text_of(fields.get("user")), text_of(fields.get("device")), text_of(fields.get("name")))


_KNOWN_KEYS = {*REQUIRED_KEYS, "status", "run", "parent", "data", "attachments", "seq", "received_at"}


def _read(message_id: str, entry: SharedMap) -> Message | None:
    with entry.doc.transaction():
        text = text_at(entry, "text")
        fields = plain_values(entry)
        if text is None or any(key not in fields for key in REQUIRED_KEYS):
            return None
        body = str(text)
    attachments = fields.get("attachments")
    return Message(
        id=message_id,
        role=text_of(fields["role"], MessageRole.USER),
        author=read_author(fields["author"]),
        created_at=number_of(fields["created_at"]),
        text=body,
        status=text_of(fields.get("status"), MessageStatus.COMPLETE),
        run=text_of(fields.get("run")) or None,
        parent=text_of(fields.get("parent")) or None,
        data=fields.get("data"),
        attachments=tuple(attachments) if isinstance(attachments, list) else (),
        seq=read_seq(fields.get("seq")),
        received_at=number_of(fields["received_at"]) if "received_at" in fields else None,
        extra={key: value for key, value in fields.items() if key not in _KNOWN_KEYS},
    )

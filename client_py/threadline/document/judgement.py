"""What a write rule is asked and what it answers.

The gate of the server and the SDKs (before they send) ask the same questions: may this actor put this
content at this path, and may this actor delete what is at this path. An answer depends on the arguments
alone, never on what the document holds at the moment, so two nodes that have seen different things give the
same answer.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, Protocol, TypeAlias

from threadline.actors import Actor

Path: TypeAlias = tuple[str, ...]
"""`(root, key, ...)`; a position in a list or text is `"[]"`, so `("messages", id, "text", "[]")` is a
text's content.
"""

LIST_POSITION: Final = "[]"


class ContentKind(Enum):
    """What a struct puts at its path."""

    VALUE = "value"  # one JSON-like value, in a map or a list
    TEXT = "text"  # a new empty Text, and so on: what is put into a new type is judged by itself
    MAP = "map"
    ARRAY = "array"
    XML = "xml"  # any of the XML types
    STRING = "string"  # characters of a text
    FORMAT = "format"  # a formatting mark in a text
    EMBED = "embed"  # an embedded object in a text
    BINARY = "binary"  # a byte string as a map's value or in a list
    DELETED = "deleted"  # deleted by its author since: it carries no claim, yet takes the key's place


class Content:
    """What is put somewhere. `value` is meaningful for `VALUE` only.

    `plain` is False where the value holds something that JSON cannot say: NaN, an infinity, bytes,
    undefined, an integer past 2^53 - 1.
    """

    __slots__ = ("kind", "plain", "value")

    def __init__(self, kind: ContentKind, value: object = None, plain: bool = True) -> None:
        self.kind: Final = kind
        self.value: Final = value
        self.plain: Final = plain

    def __repr__(self) -> str:
        return f"Content({self.kind}, {self.value!r}, plain={self.plain})"


class RuleBook(Protocol):
    """The write rules of one kind of document (a session, or a companion).

    Answers are cached by the gate: for every kind but `VALUE` they depend only on actor, client, path and
    kind.
    """

    def root_kind(self, root: str) -> ContentKind | None:
        """`MAP`, `TEXT`, `ARRAY` or `XML` (a fragment) of a root of the schema; None for any other root."""

    def judge(self, actor: Actor, client: int, path: Path, content: Content) -> str | None:
        """The reason why `actor`, writing under client id `client`, may not put `content` at `path`; None
        if it may.

        `DELETED` at a key asks for the right to write that key: it replaces the value that was there.
        """

    def may_delete(self, actor: Actor, path: Path, owner: str) -> bool:
        """Whether `actor` may delete what the user `owner` put at `path`.

        Not asked for a value that the same actor overwrites, nor for what goes with a deleted container.
        """

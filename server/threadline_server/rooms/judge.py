"""Asks the rules about structs and deletes, and asks the same thing once."""

from __future__ import annotations

from typing import Final

from threadline.actors import Actor
from threadline.document.judgement import LIST_POSITION, Content, ContentKind, Path, RuleBook
from threadline.errors import Refused
from threadline_server.rooms.item_index import NO_KEY, NO_TYPE, ClientRuns, ItemIndex
from threadline_server.rooms.update_reader import ANY, BINARY, DELETED, EMBED, FORMAT, STRING, Struct

_TYPE_CONTENTS: Final = (
    Content(ContentKind.ARRAY),
    Content(ContentKind.MAP),
    Content(ContentKind.TEXT),
    Content(ContentKind.XML),
    Content(ContentKind.XML),
    Content(ContentKind.XML),
    Content(ContentKind.XML),
)
_STRING_CONTENT: Final = Content(ContentKind.STRING)
_FORMAT_CONTENT: Final = Content(ContentKind.FORMAT)
_EMBED_CONTENT: Final = Content(ContentKind.EMBED)
_BINARY_CONTENT: Final = Content(ContentKind.BINARY)
_DELETED_CONTENT: Final = Content(ContentKind.DELETED)


class Judge:
    """The rules of one document for one actor, while one update is admitted."""

    __slots__ = ("_actor", "_delete_owner", "_delete_type", "_index", "_path", "_path_type", "_rules")

    def __init__(self, index: ItemIndex, rules: RuleBook, actor: Actor) -> None:
        self._index: ItemIndex = index
        self._rules: RuleBook = rules
        self._actor: Actor = actor
        self._path: Path = ()
        self._path_type: int = NO_TYPE
        self._delete_type: int = NO_TYPE
        self._delete_owner: int = -1

    def path(self, type_id: int, key_id: int) -> Path:
        if type_id != self._path_type:
            self._path = self._index.path(type_id)
            self._path_type = type_id
        return (*self._path, LIST_POSITION if key_id == NO_KEY else self._index.keys.text(key_id))

    def struct(self, item: Struct, known: int, runs: ClientRuns, type_id: int, key_id: int) -> None:
        """Raises Refused where the rules do not allow the struct, without its first `known` units."""
        ref = item.ref
        if ref == STRING:
            if runs.judged_type == type_id and runs.judged_actor is self._actor:
                return
            self._ask(runs.client, self.path(type_id, key_id), _STRING_CONTENT)
            runs.judged_type = type_id
            runs.judged_actor = self._actor
        elif ref == ANY:
            self._values(item, known, self.path(type_id, key_id))
        else:
            self._ask(runs.client, self.path(type_id, key_id), _content_of(item))

    def _values(self, item: Struct, known: int, path: Path) -> None:
        values = item.values
        plain = item.plain
        assert values is not None and plain is not None
        for at in range(known, item.length):
            self._ask(item.client, path, Content(ContentKind.VALUE, values[at], plain[at]))

    def _ask(self, client: int, path: Path, content: Content) -> None:
        reason = self._rules.judge(self._actor, client, path, content)
        if reason is not None:
            raise Refused(readable(path), reason)

    def may_delete(self, type_id: int, key_id: int, owner: int, owner_name: str) -> bool:
        """Whether the rules grant the deletion; what they grant in a list holds for all of its positions."""
        if key_id == NO_KEY and type_id == self._delete_type and owner == self._delete_owner:
            return True
        if not self._rules.may_delete(self._actor, self.path(type_id, key_id), owner_name):
            return False
        if key_id == NO_KEY:
            self._delete_type = type_id
            self._delete_owner = owner
        return True


def readable(path: Path) -> str:
    return "/".join(path)


def _content_of(item: Struct) -> Content:
    ref = item.ref
    if ref == FORMAT:
        return _FORMAT_CONTENT
    if ref == EMBED:
        return _EMBED_CONTENT
    if ref == BINARY:
        return _BINARY_CONTENT
    if ref == DELETED:
        return _DELETED_CONTENT
    return _TYPE_CONTENTS[item.type_kind]

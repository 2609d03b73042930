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
_NOBODY: Final = -1


class Judge:
    """The rules of one document for one actor, while one update is admitted."""

    __slots__ = ("_actor", "_delete_owner", "_delete_type", "_index", "_owner", "_paths", "_roots", "_rules")

    def __init__(self, index: ItemIndex, rules: RuleBook, actor: Actor, owner: int) -> None:
        """`owner` is the number of the actor's user."""
        self._index: ItemIndex = index
        self._rules: RuleBook = rules
        self._actor: Actor = actor
        self._owner: int = owner
        self._paths: dict[int, Path] = {}
        self._roots: dict[str, bool] = {}
        self._delete_type: int = NO_TYPE
        self._delete_owner: int = -1

    def path(self, type_id: int, key_id: int) -> Path:
        return (*self._path_of(type_id), self._step(key_id))

    def _path_to(self, item: Struct, known: int, type_id: int, key_id: int) -> Path:
        """As `path`, of a struct that may name its key itself. One that is known in part goes where its first
        unit is, whatever it names.
        """
        key = item.key
        if key is None or known:
            return self.path(type_id, key_id)
        return (*self._path_of(type_id), key)

    def _step(self, key_id: int) -> str:
        return LIST_POSITION if key_id == NO_KEY else self._index.keys.text(key_id)

    def _path_of(self, type_id: int) -> Path:
        """Of the type itself; found by that of the type around it, which most often is known."""
        known = self._paths.get(type_id)
        if known is not None:
            return known
        index = self._index
        missing: list[int] = []
        path: Path = ()
        while known is None:
            missing.append(type_id)
            parent = index.parent_type(type_id)
            if parent == NO_TYPE:
                break
            type_id = parent
            known = self._paths.get(type_id)
            path = known or ()
        for each in reversed(missing):
            path = (
                *path,
                index.root_name(each) if index.is_root(each) else self._step(index.key_of_type(each)),
            )
            self._paths[each] = path
        return path

    def struct(self, item: Struct, known: int, runs: ClientRuns, type_id: int, key_id: int) -> None:
        """Raises Refused where the rules do not allow the struct, without its first `known` units."""
        ref = item.ref
        if ref == STRING:
            if runs.judged_type == type_id and runs.judged_actor is self._actor:
                return
            self._ask(runs.client, self._path_to(item, known, type_id, key_id), _STRING_CONTENT)
            runs.judged_type = type_id
            runs.judged_actor = self._actor
        elif ref == ANY:
            self._values(item, known, self._path_to(item, known, type_id, key_id))
        else:
            self._ask(runs.client, self._path_to(item, known, type_id, key_id), _content_of(item))

    def _values(self, item: Struct, known: int, path: Path) -> None:
        values = item.values
        plain = item.plain
        assert values is not None and plain is not None
        end = item.length if self._in_schema(path[0]) else known + 1
        for at in range(known, end):
            self._ask(item.client, path, Content(ContentKind.VALUE, values[at], plain[at]))

    def _in_schema(self, root: str) -> bool:
        """Values elsewhere are all alike to the rules: one of a list is enough to ask about."""
        known = self._roots.get(root)
        if known is None:
            known = self._roots[root] = self._rules.root_kind(root) is not None
        return known

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

    def may_replace(self, type_id: int, key_id: int, runs: ClientRuns) -> bool:
        """Whether the rules let the actor put another value in place of the one of `runs` at this key."""
        if key_id == NO_KEY:
            return False
        client = runs.client if runs.owner == self._owner else _NOBODY
        return self._rules.judge(self._actor, client, self.path(type_id, key_id), _DELETED_CONTENT) is None


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

"""The flat state codec: a tree of JSON values as entries of one map, so that concurrent writes merge leaf
by leaf.

Keys are JSON Pointers (RFC 6901) of leaves, with three additions:

* a segment `*<order key>` is a list element; a dict key that itself begins with `*` is written `~2`;
* every dict and list that was written has a *marker* entry, `<path>/~{` or `<path>/~[`, with the value
  `true`;
* `/<key>/~@` holds the Unix time in milliseconds at which a top-level key expires.

Reading: a container (a marker, or for a dict any child) beats a scalar at the same path; a list marker
beats a dict marker; a list element is gone with its scalar or marker, whatever a concurrent edit has left
beneath it. A key that does not begin with `/` is a top-level leaf as a foreign client may write it; the
pointer form wins over it. Other keys are ignored.

Writing is by difference: leaves that are equal are not touched, and lists are aligned with what is stored,
so that only what really changed can collide. The functions here are pure; `FlatState` applies them to a
map.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from threadline.document.alignment import align
from threadline.document.order_key import Suffix, is_order_key, keys_between, random_suffix
from threadline.document.shared_map import SharedMap, keys_of, plain_values, value_at
from threadline.document.values import JSON, number_of, same, to_json

DICT_MARK = "~{"
LIST_MARK = "~["
EXPIRY_MARK = "~@"
ELEMENT = "*"


@dataclass(frozen=True, slots=True)
class Change:
    """What a write does to the flat map: entries to set and keys to delete."""

    set: dict[str, JSON]
    delete: list[str]


@dataclass(slots=True)
class _Node:
    leaf: JSON = None
    has_leaf: bool = False
    marks: set[str] = field(default_factory=set)
    children: dict[str, _Node] = field(default_factory=dict)
    elements: dict[str, _Node] = field(default_factory=dict)


def escape(name: str) -> str:
    """A dict key as a segment of a path."""
    escaped = name.replace("~", "~0").replace("/", "~1")
    return "~2" + escaped[1:] if escaped.startswith(ELEMENT) else escaped


def unescape(segment: str) -> str | None:
    """The dict key that a segment stands for, or None where the segment is not one."""
    body = ELEMENT + segment[2:] if segment.startswith("~2") else segment
    if body.replace("~0", "").replace("~1", "").count("~"):
        return None
    return body.replace("~1", "/").replace("~0", "~")


def decode(entries: Mapping[str, JSON], prefix: str = "") -> dict[str, JSON]:
    """The tree beneath `prefix` as plain JSON, keys in order of their text."""
    return _dict_of(_build(entries, prefix))


def difference(entries: Mapping[str, JSON], path: str, value: JSON, suffix: Suffix = random_suffix) -> Change:
    """How to make the value at `path` (a pointer) be `value`. Entries elsewhere are ignored."""
    target: dict[str, JSON] = {}
    _lay_out(_build(entries, path), path, value, target, suffix)
    return Change(
        set={k: v for k, v in target.items() if k not in entries or not same(entries[k], v)},
        delete=[k for k in entries if _is_beneath(k, path) and k not in target],
    )


def replacement(
    entries: Mapping[str, JSON], path: str, value: JSON, suffix: Suffix = random_suffix
) -> Change:
    """Like `difference`, but everything is written anew, list elements under new order keys."""
    target: dict[str, JSON] = {}
    _lay_out(None, path, value, target, suffix)
    return Change(set=target, delete=[k for k in entries if _is_beneath(k, path) and k not in target])


def top_level_of(key: str) -> str | None:
    """The top-level dict key that an entry belongs to, or None where the entry is not of this codec."""
    if not key.startswith("/"):
        return key
    return unescape(key[1:].partition("/")[0])


def _is_beneath(key: str, path: str) -> bool:
    return key == path or key.startswith(path + "/")


def _build(entries: Mapping[str, JSON], prefix: str) -> _Node:
    root = _Node()
    for key, value in entries.items():
        if _is_beneath(key, prefix) and not (prefix == "" and key == ""):
            _place(root, key[len(prefix) :].split("/")[1:], value)
    if prefix == "":
        _place_foreign(root, entries)
    return root


def _place_foreign(root: _Node, entries: Mapping[str, JSON]) -> None:
    """Top-level leaves that a client without this codec has written."""
    for key, value in entries.items():
        if not key.startswith("/"):
            node = root.children.setdefault(key, _Node())
            if not node.has_leaf:
                node.leaf, node.has_leaf = value, True


def _place(node: _Node, segments: list[str], value: JSON) -> None:
    last = len(segments) - 1
    for depth, segment in enumerate(segments):
        if segment.startswith("~") and segment[1:2] not in ("0", "1", "2"):
            if depth == last and segment in (DICT_MARK, LIST_MARK):
                node.marks.add(segment)
            return
        if segment.startswith(ELEMENT):
            if not is_order_key(segment[1:]):
                return
            node = node.elements.setdefault(segment[1:], _Node())
            continue
        name = unescape(segment)
        if name is None:
            return
        node = node.children.setdefault(name, _Node())
    node.leaf, node.has_leaf = value, True


def _is_live(node: _Node, *, element: bool = False) -> bool:
    if node.has_leaf or node.marks:
        return True
    return not element and _is_container(node)


def _is_container(node: _Node) -> bool:
    if node.marks:
        return True
    return any(_is_live(child) for child in node.children.values()) or any(
        _is_live(child, element=True) for child in node.elements.values()
    )


def _is_list(node: _Node) -> bool:
    if node.marks:
        return LIST_MARK in node.marks
    return any(_is_live(child, element=True) for child in node.elements.values())


def _value_of(node: _Node, *, element: bool = False) -> JSON:
    if node.marks or (not element and _is_container(node)):
        return [v for _, v in _list_of(node)] if _is_list(node) else _dict_of(node)
    return node.leaf


def _dict_of(node: _Node) -> dict[str, JSON]:
    return {k: _value_of(child) for k, child in sorted(node.children.items()) if _is_live(child)}


def _list_of(node: _Node) -> list[tuple[str, JSON]]:
    live = ((k, child) for k, child in sorted(node.elements.items()) if _is_live(child, element=True))
    return [(k, _value_of(child, element=True)) for k, child in live]


def _lay_out(node: _Node | None, path: str, value: JSON, target: dict[str, JSON], suffix: Suffix) -> None:
    if isinstance(value, dict):
        if path:
            target[f"{path}/{DICT_MARK}"] = True
        for name, item in value.items():
            child = node.children.get(name) if node else None
            _lay_out(child, f"{path}/{escape(name)}", item, target, suffix)
    elif isinstance(value, list):
        target[f"{path}/{LIST_MARK}"] = True
        stored = _list_of(node) if node and _is_list(node) else []
        for key, item in zip(_element_keys(stored, value, suffix), value, strict=True):
            child = node.elements.get(key) if node else None
            _lay_out(child, f"{path}/{ELEMENT}{key}", item, target, suffix)
    else:
        target[path] = value


def _element_keys(stored: list[tuple[str, JSON]], values: list[JSON], suffix: Suffix) -> list[str]:
    """An order key for each of `values`: those that are kept or edited keep the one they have."""
    aligned = align([value for _, value in stored], values)
    keys: list[str] = []
    missing = 0
    for position in [*aligned, len(stored)]:
        if position is None:
            missing += 1
            continue
        here = stored[position][0] if position < len(stored) else None
        keys += keys_between(keys[-1] if keys else None, here, missing, suffix)
        missing = 0
        if here is not None:
            keys.append(here)
    return keys


class _Plan(Protocol):
    def __call__(self, entries: Mapping[str, JSON], path: str, value: JSON, suffix: Suffix) -> Change: ...


class FlatState:
    """A dict of JSON values over a shared map; `prefix` is where in the map it lives (a pointer, or the
    empty string).
    """

    def __init__(self, entries: SharedMap, prefix: str = "", *, suffix: Suffix = random_suffix) -> None:
        self._map = entries
        self._prefix = prefix
        self._suffix = suffix

    def get(self, key: str, default: JSON = None) -> JSON:
        """The value of a top-level key as plain JSON, a copy; `default` where there is none."""
        node = self._build_one(key)
        return _value_of(node) if _is_live(node) else default

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and _is_live(self._build_one(key))

    def __iter__(self) -> Iterator[str]:
        return iter(self.to_dict())

    def __len__(self) -> int:
        return len(self.to_dict())

    def to_dict(self) -> dict[str, JSON]:
        return decode(self._entries(), self._prefix)

    def set(self, key: str, value: object, *, expires_at_ms: int | None = None) -> bool:
        """Write the difference between what is stored and `value`. False where nothing changed.

        Raises NotSerializable. A key written without an expiry loses the one it had.
        """
        return self._write(key, value, expires_at_ms, difference)

    def replace(self, key: str, value: object, *, expires_at_ms: int | None = None) -> bool:
        """Write all of `value` anew, also what is equal. Raises NotSerializable."""
        return self._write(key, value, expires_at_ms, replacement)

    def delete(self, key: str) -> bool:
        """Remove a key and everything beneath it. False where there was nothing."""
        stored = self._entries_of(key)
        return self._apply(Change(set={}, delete=list(stored)))

    def clear(self) -> bool:
        return self._apply(Change(set={}, delete=list(self._entries())))

    def update(self, values: Mapping[str, object]) -> bool:
        """Set several keys in one transaction; those not named stay. Nothing is written if one is
        NotSerializable.
        """
        checked = {key: to_json(value, f"/{key}") for key, value in values.items()}
        with self._map.doc.transaction():
            changed = [self.set(key, value) for key, value in checked.items()]
        return any(changed)

    def expires_at_ms(self, key: str) -> int | None:
        """When the key expires, in Unix milliseconds; None where it does not."""
        mark = f"{self._path(key)}/{EXPIRY_MARK}"
        return number_of(value_at(self._map, mark)) if mark in self._map else None

    def has_expiring(self) -> bool:
        """Whether any key expires, now or later."""
        return any(key.endswith("/" + EXPIRY_MARK) for key in keys_of(self._map))

    def expired(self, now_ms: int) -> list[str]:
        """Top-level keys whose time is over."""
        tops = {top_level_of(k) for k in self._entries() if k.endswith("/" + EXPIRY_MARK)}
        due = ((top, self.expires_at_ms(top)) for top in tops if top is not None)
        return sorted(top for top, at in due if at is not None and at <= now_ms)

    def _path(self, key: str) -> str:
        return f"{self._prefix}/{escape(key)}"

    def _write(self, key: str, value: object, expires_at_ms: int | None, plan: _Plan) -> bool:
        path = self._path(key)
        stored = self._entries_of(key)
        change = plan(stored, path, to_json(value, path), self._suffix)
        stale = [k for k in stored if not k.startswith("/")]
        change = Change(set=change.set, delete=change.delete + stale)
        return self._apply(_with_expiry(change, f"{path}/{EXPIRY_MARK}", stored, expires_at_ms))

    def _apply(self, change: Change) -> bool:
        if not change.set and not change.delete:
            return False
        with self._map.doc.transaction():
            for key in change.delete:
                del self._map[key]
            for key, value in change.set.items():
                self._map[key] = value
        return True

    def _build_one(self, key: str) -> _Node:
        entries = self._entries_of(key)
        node = _build(entries, self._path(key))
        if not _is_live(node) and key in entries and not key.startswith("/"):
            node.leaf, node.has_leaf = entries[key], True
        return node

    def _entries_of(self, key: str) -> dict[str, JSON]:
        path = self._path(key)
        beneath = path + "/"
        foreign = key if self._prefix == "" and not key.startswith("/") else path
        return plain_values(
            self._map, [k for k in keys_of(self._map) if k in (path, foreign) or k.startswith(beneath)]
        )

    def _entries(self) -> dict[str, JSON]:
        if self._prefix == "":
            return plain_values(self._map)
        beneath = self._prefix + "/"
        return plain_values(self._map, [k for k in keys_of(self._map) if k.startswith(beneath)])


def _with_expiry(change: Change, mark: str, stored: Mapping[str, JSON], expires_at_ms: int | None) -> Change:
    if expires_at_ms is None:
        return change
    delete = [key for key in change.delete if key != mark]
    if same(stored.get(mark), expires_at_ms):
        return Change(set=change.set, delete=delete)
    return Change(set={**change.set, mark: expires_at_ms}, delete=delete)

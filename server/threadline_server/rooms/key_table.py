"""Keys of maps, stored once each in one block of bytes, and the runs of keys that maps of one shape begin
with.

A message is a map whose keys are always the same and written one after the other. Such a run of keys is one
*burst*: a node of a trie whose path from the top spells the keys. All messages share the nodes, so the fields
of a message cost one row of the index instead of one row each.

The key of a message itself is `user/uuid`: its user is stored once, the UUID as its 16 bytes.
"""

from __future__ import annotations

import sys
from array import array
from typing import Final

from threadline_server.rooms.journal import Column

NO_NODE: Final = 0
_COMMON_CHARS: Final = 32
_MAX_COMMON: Final = 4096
_MAX_NODES: Final = 4096
_MAX_BURST: Final = 32
_ENTRY_BYTES: Final = 64
"""A key and a value of a dict, as Python objects."""

_PLAIN: Final = 0
_COMMON: Final = 1
_ENTRY_ID: Final = 2
_UUID_CHARS: Final = 36
_UUID_BYTES: Final = 16
_MAX_PREFIXES: Final = 256


def _uuid_bytes(key: str) -> bytes | None:
    """The UUID that a key ends with after a slash; None where it is not written the usual way."""
    if len(key) <= _UUID_CHARS or key[-_UUID_CHARS - 1] != "/":
        return None
    written = key[-_UUID_CHARS:]
    if not written[8] == written[13] == written[18] == written[23] == "-":
        return None
    digits = written.replace("-", "")
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        return None
    return data if len(data) == _UUID_BYTES and data.hex() == digits else None


def _uuid_text(data: bytes) -> str:
    digits = data.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class KeyTable:
    """Key ids are dense from 0. Only short keys within nested maps are looked up; others are stored as they
    come."""

    __slots__ = (
        "_blob",
        "_common",
        "_ends",
        "_found",
        "_kinds",
        "_looked",
        "_prefix_numbers",
        "_prefix_starts",
        "_prefixes",
    )

    def __init__(self) -> None:
        self._blob: bytearray = bytearray()
        self._ends: Column = array("I")
        self._kinds: bytearray = bytearray()
        self._common: dict[str, int] = {}
        self._prefixes: list[str] = []  # of entry ids, with the slash
        self._prefix_starts: list[int] = []  # the first key that has it
        self._prefix_numbers: dict[str, int] = {}
        self._looked: int = 0
        self._found: bool = False

    def may_have(self, part: bytes) -> bool:
        """Whether `part` was in a key, or where two meet; always the same part. Looks at what came since."""
        if not self._found:
            start = max(0, self._looked - len(part))
            self._found = self._blob.find(part, start) >= 0
            self._looked = len(self._blob)
        return self._found

    def add(self, key: str, shared: bool) -> int:
        """The id of `key`; `shared` says that other maps are likely to have the same key."""
        if shared and len(key) <= _COMMON_CHARS:
            known = self._common.get(key, -1)
            if known >= 0:
                return known
            shared = len(self._common) < _MAX_COMMON
            if shared:
                self._common[key] = len(self._ends)
        else:
            shared = False
        self._append(key, _COMMON if shared else _PLAIN)
        return len(self._ends) - 1

    def _append(self, key: str, kind: int) -> None:
        data = key.encode()
        if kind == _PLAIN:
            packed = self._pack(key)
            if packed is not None:
                data = packed
                kind = _ENTRY_ID
        self._kinds.append(kind)
        self._blob += data
        self._ends.append(len(self._blob))

    def _pack(self, key: str) -> bytes | None:
        """The number of what is before the UUID, and its bytes; None for other keys."""
        data = _uuid_bytes(key)
        if data is None:
            return None
        prefix = key[:-_UUID_CHARS]
        number = self._prefix_numbers.get(prefix, -1)
        if number < 0:
            number = len(self._prefixes)
            if number >= _MAX_PREFIXES:
                return None
            self._prefixes.append(prefix)
            self._prefix_starts.append(len(self._ends))
            self._prefix_numbers[prefix] = number
        return bytes((number,)) + data

    def text(self, key_id: int) -> str:
        start = self._ends[key_id - 1] if key_id else 0
        data = bytes(self._blob[start : self._ends[key_id]])
        if self._kinds[key_id] != _ENTRY_ID:
            return data.decode()
        return self._prefixes[data[0]] + _uuid_text(data[1:])

    def is_common(self, key_id: int) -> bool:
        return self._kinds[key_id] == _COMMON

    def __len__(self) -> int:
        return len(self._ends)

    def truncate(self, count: int) -> None:
        """Forget the keys from id `count` on."""
        if count == len(self._ends):
            return
        for key_id in range(count, len(self._ends)):
            if self.is_common(key_id):
                del self._common[self.text(key_id)]
        del self._blob[self._ends[count - 1] if count else 0 :]
        del self._ends[count:]
        del self._kinds[count:]
        self._looked = min(self._looked, len(self._blob))
        while self._prefix_starts and self._prefix_starts[-1] >= count:
            self._prefix_starts.pop()
            del self._prefix_numbers[self._prefixes.pop()]

    def byte_size(self) -> int:
        looked_up = len(self._common) + 2 * len(self._prefixes)
        columns = (self._blob, self._kinds, self._ends, self._common, self._prefixes)
        return sum(sys.getsizeof(column) for column in columns) + looked_up * _ENTRY_BYTES

    def columns(self) -> tuple[bytearray, Column, bytearray]:
        """As they are, to be stored with `prefixes`."""
        return self._blob, self._ends, self._kinds

    def prefixes(self) -> list[str]:
        """What entry ids begin with."""
        return self._prefixes

    def load(self, blob: bytes, ends: bytes, kinds: bytes, prefixes: list[str]) -> None:
        """From what `columns` gave. Raises ValueError where the parts do not fit together."""
        self._blob = bytearray(blob)
        self._ends.frombytes(ends)
        self._kinds = bytearray(kinds)
        if (self._ends[-1] if self._ends else 0) != len(blob) or len(self._ends) != len(kinds):
            raise ValueError("the columns of the keys do not fit together")
        self._prefixes = prefixes
        self._prefix_starts = [0] * len(prefixes)
        self._prefix_numbers = {prefix: number for number, prefix in enumerate(prefixes)}
        common = bytes((_COMMON,))
        key_id = kinds.find(common)
        while key_id >= 0:
            self._common[self.text(key_id)] = key_id
            key_id = kinds.find(common, key_id + 1)

    def load_unpacked(self, blob: bytes, ends: bytes, kinds: bytes) -> None:
        """As `load`, of a table in which entry ids were stored as they are."""
        before = KeyTable()
        before.load(blob, ends, kinds, [])
        for key_id, kind in enumerate(kinds):
            self._append(before.text(key_id), kind)
        self._common = before._common


class BurstTable:
    """A trie. Node 0 is the top; an *item* is a key's id, doubled, plus one where a type is at that key."""

    __slots__ = ("_depths", "_items", "_next", "_parents")

    def __init__(self) -> None:
        self._parents: Column = array("I", (0,))
        self._items: Column = array("I", (0,))
        self._depths: Column = array("B", (0,))
        self._next: dict[int, int] = {}

    def extend(self, node: int, item: int) -> int:
        """The node of the burst at `node` and one more item; `NO_NODE` where bursts or table are full."""
        slot = node << 32 | item
        known = self._next.get(slot, NO_NODE)
        if known != NO_NODE:
            return known
        depth = self._depths[node] + 1
        if depth > _MAX_BURST or len(self._parents) >= _MAX_NODES:
            return NO_NODE
        made = len(self._parents)
        self._parents.append(node)
        self._items.append(item)
        self._depths.append(depth)
        self._next[slot] = made
        return made

    def item(self, node: int, back: int) -> int:
        """The item `back` places before the last one of the burst; the first stands for all before it."""
        parents = self._parents
        for _ in range(min(back, self._depths[node] - 1)):
            node = parents[node]
        return self._items[node]

    def length(self, node: int) -> int:
        """How many items the burst has."""
        return self._depths[node]

    def __len__(self) -> int:
        return len(self._parents)

    def truncate(self, count: int) -> None:
        """Forget the nodes from `count` on."""
        for node in range(count, len(self._parents)):
            del self._next[self._parents[node] << 32 | self._items[node]]
        del self._parents[count:]
        del self._items[count:]
        del self._depths[count:]

    def byte_size(self) -> int:
        columns = sys.getsizeof(self._parents) + sys.getsizeof(self._items) + sys.getsizeof(self._depths)
        return columns + sys.getsizeof(self._next) + len(self._next) * _ENTRY_BYTES

    def columns(self) -> tuple[Column, Column, Column]:
        """As they are, to be stored."""
        return self._parents, self._items, self._depths

    def load(self, parents: bytes, items: bytes, depths: bytes) -> None:
        """Raises ValueError where the parts do not fit together."""
        self._parents = array("I")
        self._items = array("I")
        self._depths = array("B")
        self._parents.frombytes(parents)
        self._items.frombytes(items)
        self._depths.frombytes(depths)
        if not len(self._parents) == len(self._items) == len(self._depths) > 0:
            raise ValueError("columns of the bursts differ in length")
        self._next = {self._parents[at] << 32 | self._items[at]: at for at in range(1, len(self._parents))}

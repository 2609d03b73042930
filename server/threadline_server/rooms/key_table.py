"""Keys of maps, stored once each in one block of bytes, and the runs of keys that maps of one shape begin
with.

A message is a map whose keys are always the same and written one after the other. Such a run of keys is one
*burst*: a node of a trie whose path from the top spells the keys. All messages share the nodes, so the fields
of a message cost one row of the index instead of one row each.
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


class KeyTable:
    """Key ids are dense from 0. Only short keys within nested maps are looked up; others are stored as they
    come."""

    __slots__ = ("_blob", "_common", "_ends", "_flags")

    def __init__(self) -> None:
        self._blob: bytearray = bytearray()
        self._ends: Column = array("I")
        self._flags: bytearray = bytearray()  # 1 for a common key
        self._common: dict[str, int] = {}

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
        self._flags.append(shared)
        self._blob += key.encode()
        self._ends.append(len(self._blob))
        return len(self._ends) - 1

    def text(self, key_id: int) -> str:
        start = self._ends[key_id - 1] if key_id else 0
        return self._blob[start : self._ends[key_id]].decode()

    def is_common(self, key_id: int) -> bool:
        return self._flags[key_id] != 0

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
        del self._flags[count:]

    def byte_size(self) -> int:
        common = sys.getsizeof(self._common) + len(self._common) * _ENTRY_BYTES
        return sys.getsizeof(self._blob) + sys.getsizeof(self._flags) + sys.getsizeof(self._ends) + common

    def dump(self) -> list[bytes]:
        return [bytes(self._blob), self._ends.tobytes(), bytes(self._flags)]

    def load(self, blob: bytes, ends: bytes, flags: bytes) -> None:
        """Raises ValueError where the parts do not fit together."""
        self._blob = bytearray(blob)
        self._ends.frombytes(ends)
        if (self._ends[-1] if self._ends else 0) != len(blob):
            raise ValueError("keys and their ends differ")
        if len(self._ends) != len(flags):
            raise ValueError("keys and their flags differ")
        self._flags = bytearray(flags)
        for key_id, common in enumerate(flags):
            if common:
                self._common[self.text(key_id)] = key_id


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
        """The item `back` places before the last one of the burst."""
        parents = self._parents
        for _ in range(back):
            node = parents[node]
        return self._items[node]

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

    def dump(self) -> list[bytes]:
        return [self._parents.tobytes(), self._items.tobytes(), self._depths.tobytes()]

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

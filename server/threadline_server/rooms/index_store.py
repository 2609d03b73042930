"""The gate's knowledge as bytes, kept beside the base of a document.

`TLX2`, then parts, each after its length as a varUint: the users, the keys and what entry ids begin with, the
bursts, the roots, the types, the pieces of lists, and the columns of every client; columns are little-endian.
A CRC-32 ends it. In `TLX1`, which is still read, entry ids are stored as text, and every client has the
clocks of its types.
"""

from __future__ import annotations

import sys
from array import array
from time import sleep
from typing import Final
from zlib import crc32

from threadline.errors import ProtocolError, StoreError
from threadline.protocol.varint import Reader, encode_uint
from threadline_server.rooms.item_index import ClientRuns, ItemIndex
from threadline_server.rooms.journal import Column
from threadline_server.rooms.list_order import ListOrder

_MAGIC: Final = b"TLX2"
_FIRST_MAGIC: Final = b"TLX1"
_CHECK_BYTES: Final = 4
_SWAPPED: Final = sys.byteorder == "big"
_AT_ONCE_BYTES: Final = 256 * 1024
_PAUSE_S: Final = 0.0001
"""A large index is written and read in a thread, which leaves interpreter and processor to others after so
many bytes: letting go of the interpreter alone is not enough where both have one core.
"""


class IndexDamaged(StoreError):
    """The stored index cannot be read; it has to be built again from the log."""

    code = "index_damaged"


def dump_index(index: ItemIndex, order: ListOrder, users: list[str]) -> bytes:
    writer = _Writer()
    writer.add_texts(users)
    blob, ends, kinds = index.keys.columns()
    writer.add(blob)
    writer.add_column(ends)
    writer.add(kinds)
    writer.add_texts(index.keys.prefixes())
    for column in index.bursts.columns():
        writer.add_column(column)
    writer.add_texts(index.root_names)
    for column in _type_columns(index):
        writer.add_column(column)
    for column in _piece_columns(order):
        writer.add_column(column)
    writer.add_uint(len(index.clients))
    for runs in index.clients:
        for number in (runs.client, runs.owner, runs.next):
            writer.add_uint(number)
        writer.add_column(runs.starts)
        writer.add_column(runs.parents)
        writer.add_column(runs.metas)
        for lazy in _lazy_columns(runs):
            writer.add_column(lazy)
    return writer.end()


def load_index(data: bytes, start: int = 0) -> tuple[ItemIndex, ListOrder, list[str]]:
    """The inverse of `dump_index`, of what is in `data` from `start` on. Raises IndexDamaged."""
    body = start + len(_MAGIC)
    magic = data[start:body]
    if magic not in (_MAGIC, _FIRST_MAGIC) or len(data) < body + _CHECK_BYTES:
        raise IndexDamaged("The stored index is of another version.")
    if crc32(memoryview(data)[body:-_CHECK_BYTES]) != int.from_bytes(data[-_CHECK_BYTES:], "little"):
        raise IndexDamaged("The stored index does not match its checksum.")
    try:
        return _load(Reader(data, body), first=magic == _FIRST_MAGIC)
    except (ProtocolError, ValueError, UnicodeDecodeError) as error:
        raise IndexDamaged(f"The stored index cannot be read: {error}") from error


def _load(reader: Reader, *, first: bool) -> tuple[ItemIndex, ListOrder, list[str]]:
    index = ItemIndex()
    users = _texts(reader)
    if first:
        index.keys.load_unpacked(_part(reader), _part(reader), _part(reader))
    else:
        index.keys.load(_part(reader), _part(reader), _part(reader), _texts(reader))
    index.bursts.load(_part(reader), _part(reader), _part(reader))
    index.root_names = _texts(reader)
    for column in _type_columns(index):
        _fill(reader, column)
    for at in range(len(index.type_clients)):
        if index.is_root(at):
            index.root_ids[index.root_names[index.type_clocks[at]]] = at
    order = ListOrder(index)
    for column in _piece_columns(order):
        del column[:]
        _fill(reader, column)
    for _ in range(reader.read_uint()):
        _load_client(reader, index, len(users), first=first)
    if reader.remaining != _CHECK_BYTES:
        raise ValueError("it does not end where it should")
    return index, order, users


def _load_client(reader: Reader, index: ItemIndex, users: int, *, first: bool) -> None:
    client = reader.read_uint()
    owner = reader.read_uint()
    if owner >= users:
        raise ValueError("a client id is of an unknown user")
    runs = index.add_client(client, owner)
    runs.next = reader.read_uint()
    _fill(reader, runs.starts)
    _fill(reader, runs.parents)
    _fill(reader, runs.metas)
    if first:
        _part(reader)  # the clocks of its types
    runs.type_ids = _lazy(reader)
    runs.pair_ends = _lazy(reader)
    runs.dead_starts = _lazy(reader)
    runs.dead_ends = _lazy(reader)
    runs.link_clocks = _lazy(reader)
    runs.link_clients = _lazy(reader)
    runs.link_origins = _lazy(reader)
    runs.node_starts = _lazy(reader)
    runs.node_ids = _lazy(reader)


def _type_columns(index: ItemIndex) -> tuple[Column, ...]:
    return (
        index.type_clients,
        index.type_clocks,
        index.type_flags,
        index.type_depths,
        index.type_heads,
        index.type_head_clocks,
    )


def _piece_columns(order: ListOrder) -> tuple[Column, ...]:
    return (
        order.clients,
        order.clocks,
        order.lengths,
        order.nexts,
        order.origin_clients,
        order.origin_clocks,
        order.right_clients,
        order.right_clocks,
    )


def _lazy_columns(runs: ClientRuns) -> tuple[Column | None, ...]:
    return (
        runs.type_ids,
        runs.pair_ends,
        runs.dead_starts,
        runs.dead_ends,
        runs.link_clocks,
        runs.link_clients,
        runs.link_origins,
        runs.node_starts,
        runs.node_ids,
    )


class _Writer:
    """Takes the checksum as it goes."""

    __slots__ = ("_check", "_fresh", "_fresh_bytes", "_parts")

    def __init__(self) -> None:
        self._parts: list[bytes] = [_MAGIC]
        self._fresh: list[bytes] = []
        self._fresh_bytes: int = 0
        self._check: int = 0

    def _put(self, data: bytes) -> None:
        self._fresh.append(data)
        self._fresh_bytes += len(data)
        if self._fresh_bytes >= _AT_ONCE_BYTES:
            self._flush()

    def _flush(self) -> None:
        data = b"".join(self._fresh)
        self._parts.append(data)
        self._check = crc32(data, self._check)
        self._fresh = []
        self._fresh_bytes = 0
        if len(data) >= _AT_ONCE_BYTES:
            sleep(_PAUSE_S)

    def add_uint(self, number: int) -> None:
        self._put(encode_uint(number))

    def add(self, part: bytearray) -> None:
        self.add_uint(len(part))
        for start in range(0, len(part), _AT_ONCE_BYTES):
            self._put(bytes(part[start : start + _AT_ONCE_BYTES]))

    def add_texts(self, texts: list[str]) -> None:
        self.add_uint(len(texts))
        for text in texts:
            data = text.encode()
            self.add_uint(len(data))
            self._put(data)

    def add_column(self, column: Column | None) -> None:
        if column is None:
            self.add_uint(0)
            return
        self.add_uint(len(column) * column.itemsize)
        at_once = _AT_ONCE_BYTES // column.itemsize
        for start in range(0, len(column), at_once):
            some = column[start : start + at_once]
            if _SWAPPED:
                some.byteswap()
            self._put(some.tobytes())

    def end(self) -> bytes:
        self._flush()
        self._parts.append(self._check.to_bytes(_CHECK_BYTES, "little"))
        return b"".join(self._parts)


def _part(reader: Reader) -> bytes:
    part = reader.read_bytes(reader.remaining)
    if len(part) > _AT_ONCE_BYTES:
        sleep(_PAUSE_S)
    return part


def _texts(reader: Reader) -> list[str]:
    return [_part(reader).decode() for _ in range(reader.read_uint())]


def _fill(reader: Reader, column: Column) -> None:
    column.frombytes(_part(reader))
    if _SWAPPED:
        column.byteswap()


def _lazy(reader: Reader) -> Column | None:
    column: Column = array("I")
    _fill(reader, column)
    return column if column else None

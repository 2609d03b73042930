"""The gate's knowledge as bytes, kept beside the base of a document.

`TLX2`, then parts, each after its length as a varUint: the users, the keys and what entry ids begin with, the
bursts, the roots, the types, the pieces of lists, and the columns of every client; columns are little-endian.
A CRC-32 ends it. In `TLX1`, which is still read, entry ids are stored as text, and every client has the
clocks of its types.
"""

from __future__ import annotations

import sys
from array import array
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


class IndexDamaged(StoreError):
    """The stored index cannot be read; it has to be built again from the log."""

    code = "index_damaged"


def dump_index(index: ItemIndex, order: ListOrder, users: list[str]) -> bytes:
    parts: list[bytes] = []
    _add_texts(parts, users)
    columns, prefixes = index.keys.dump()
    for part in columns:
        _add(parts, part)
    _add_texts(parts, prefixes)
    for part in index.bursts.dump():
        _add(parts, part)
    _add_texts(parts, index.root_names)
    for column in _type_columns(index):
        _add_column(parts, column)
    for column in _piece_columns(order):
        _add_column(parts, column)
    parts.append(encode_uint(len(index.clients)))
    for runs in index.clients:
        parts += [encode_uint(runs.client), encode_uint(runs.owner), encode_uint(runs.next)]
        _add_column(parts, runs.starts)
        _add_column(parts, runs.parents)
        _add_column(parts, runs.metas)
        for lazy in _lazy_columns(runs):
            _add_column(parts, lazy)
    body = b"".join(parts)
    return _MAGIC + body + crc32(body).to_bytes(_CHECK_BYTES, "little")


def load_index(data: bytes) -> tuple[ItemIndex, ListOrder, list[str]]:
    """The inverse of `dump_index`. Raises IndexDamaged."""
    magic = data[: len(_MAGIC)]
    if magic not in (_MAGIC, _FIRST_MAGIC) or len(data) < len(_MAGIC) + _CHECK_BYTES:
        raise IndexDamaged("The stored index is of another version.")
    body = data[len(_MAGIC) : -_CHECK_BYTES]
    if crc32(body) != int.from_bytes(data[-_CHECK_BYTES:], "little"):
        raise IndexDamaged("The stored index does not match its checksum.")
    try:
        return _load(Reader(body), first=magic == _FIRST_MAGIC)
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
    reader.expect_end()
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


def _add(parts: list[bytes], part: bytes) -> None:
    parts.append(encode_uint(len(part)))
    parts.append(part)


def _add_texts(parts: list[bytes], texts: list[str]) -> None:
    parts.append(encode_uint(len(texts)))
    for text in texts:
        _add(parts, text.encode())


def _add_column(parts: list[bytes], column: Column | None) -> None:
    if column is None:
        parts.append(b"\x00")
        return
    if _SWAPPED:
        column = column[:]
        column.byteswap()
    _add(parts, column.tobytes())


def _part(reader: Reader) -> bytes:
    return reader.read_bytes(reader.remaining)


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

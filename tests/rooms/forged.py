"""Updates made by hand, byte for byte, for what no honest client sends."""

from __future__ import annotations

import json
from typing import TypeAlias

from threadline.protocol.varint import encode_text, encode_uint

Id: TypeAlias = tuple[int, int]
Parent: TypeAlias = str | Id


def update(*sections: bytes, deletes: dict[int, list[tuple[int, int]]] | None = None) -> bytes:
    """`deletes` are (clock, length) by client id."""
    parts = [encode_uint(len(sections)), *sections, encode_uint(len(deletes or {}))]
    for client, ranges in (deletes or {}).items():
        parts += [encode_uint(client), encode_uint(len(ranges))]
        parts += [encode_uint(clock) + encode_uint(length) for clock, length in ranges]
    return b"".join(parts)


def section(client: int, clock: int, *structs: bytes) -> bytes:
    return b"".join([encode_uint(len(structs)), encode_uint(client), encode_uint(clock), *structs])


def struct(
    ref: int,
    content: bytes,
    *,
    parent: Parent | None = None,
    key: str | None = None,
    origin: Id | None = None,
    right: Id | None = None,
) -> bytes:
    info = ref | (0x80 if origin else 0) | (0x40 if right else 0) | (0x20 if key is not None else 0)
    parts = [bytes((info,))]
    for each in (origin, right):
        if each is not None:
            parts += [encode_uint(each[0]), encode_uint(each[1])]
    if isinstance(parent, str):
        parts += [b"\x01", encode_text(parent)]
    elif parent is not None:
        parts += [b"\x00", encode_uint(parent[0]), encode_uint(parent[1])]
    if key is not None and origin is None and right is None:
        parts.append(encode_text(key))
    return b"".join([*parts, content])


def string(
    text: str, *, parent: Parent | None = None, origin: Id | None = None, right: Id | None = None
) -> bytes:
    return struct(4, encode_text(text), parent=parent, origin=origin, right=right)


def value(
    text: str, *, parent: Parent | None = None, key: str | None = None, origin: Id | None = None
) -> bytes:
    """One string as a value."""
    return struct(8, b"\x01" + b"\x77" + encode_text(text), parent=parent, key=key, origin=origin)


def made_type(
    kind: int, *, parent: Parent | None = None, key: str | None = None, origin: Id | None = None
) -> bytes:
    """An array (0), a map (1), a text (2), an XML fragment (4) or XML text (6)."""
    return struct(7, encode_uint(kind), parent=parent, key=key, origin=origin)


def deleted(
    length: int, *, parent: Parent | None = None, key: str | None = None, origin: Id | None = None
) -> bytes:
    return struct(1, encode_uint(length), parent=parent, key=key, origin=origin)


def embed(
    content: object, *, parent: Parent | None = None, origin: Id | None = None, key: str | None = None
) -> bytes:
    return struct(5, encode_text(json.dumps(content)), parent=parent, origin=origin, key=key)


def collected(length: int) -> bytes:
    return b"\x00" + encode_uint(length)


def skipped(length: int) -> bytes:
    return b"\x0a" + encode_uint(length)

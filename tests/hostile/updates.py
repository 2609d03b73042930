"""Updates as bytes, made by hand: what no library would write, and what one would not let be written."""

from __future__ import annotations

from threadline.protocol.varint import encode_bytes, encode_int, encode_text, encode_uint

NO_DELETES = b"\x00"
IN_KEY = 0x20  # the struct names the map key it is set at
ANY, BINARY, ARRAY, MAP = 8, 3, 0, 1
TYPE, STRING = 7, 4


def update(client: int, clock: int, *structs: bytes, deletes: bytes = NO_DELETES) -> bytes:
    """One section of one client, then a delete set."""
    head = encode_uint(1) + encode_uint(len(structs)) + encode_uint(client) + encode_uint(clock)
    return head + b"".join(structs) + deletes


def any_at(root: str, key: str, value: bytes) -> bytes:
    """A value, already encoded, set at a key of a root map."""
    return bytes((IN_KEY | ANY, 1)) + encode_text(root) + encode_text(key) + encode_uint(1) + value


def array_in(parent: tuple[int, int]) -> bytes:
    """An empty array put into the list that the struct `parent` made."""
    return bytes((TYPE, 0)) + encode_uint(parent[0]) + encode_uint(parent[1]) + encode_uint(ARRAY)


def array_at_root(root: str) -> bytes:
    return bytes((TYPE, 1)) + encode_text(root) + encode_uint(ARRAY)


def text_in(parent: tuple[int, int], text: str) -> bytes:
    """A string put into the list that the struct `parent` made."""
    return bytes((STRING, 0)) + encode_uint(parent[0]) + encode_uint(parent[1]) + encode_text(text)


def text_at_root(root: str, text: str) -> bytes:
    return bytes((STRING, 1)) + encode_text(root) + encode_text(text)


def nested_lists(depth: int) -> bytes:
    """An Any value: lists in lists."""
    return b"\x75\x01" * depth + b"\x75\x00"


def text_value(text: str) -> bytes:
    return b"\x77" + encode_text(text)


def float64(data: bytes) -> bytes:
    return b"\x7b" + data


NAN = float64(bytes.fromhex("7ff8000000000000"))
INFINITY = float64(bytes.fromhex("7ff0000000000000"))
BIG_INTEGER = b"\x7a" + bytes.fromhex("7fffffffffffffff")
RAW_BYTES = b"\x74" + encode_bytes(b"\x00\xff")
UNDEFINED = b"\x7f"


def integer(value: int) -> bytes:
    return b"\x7d" + encode_int(value)


def many_clients(count: int) -> bytes:
    """One update in which `count` invented clients each write one byte at the start of the same text."""
    first = 1_000_000
    sections = (
        encode_uint(1) + encode_uint(first + n) + b"\x00" + b"\x04\x01" + encode_text("t") + encode_text("x")
        for n in reversed(range(count))
    )
    return encode_uint(count) + b"".join(sections) + NO_DELETES


def awareness(*entries: tuple[int, int, str]) -> bytes:
    """(client id, clock, JSON) of each entry."""
    body = b"".join(
        encode_uint(client) + encode_uint(clock) + encode_text(json) for client, clock, json in entries
    )
    return encode_uint(len(entries)) + body

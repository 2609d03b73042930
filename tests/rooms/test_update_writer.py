"""What is written is what was read, less what was known."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Text
from tests.rooms.forged import section, string, struct, update
from tests.rooms.said import document_of

from threadline.protocol.varint import encode_text
from threadline_server.rooms.delete_set import DeleteSet
from threadline_server.rooms.gate_limits import DEFAULT_GATE_LIMITS
from threadline_server.rooms.update_reader import MalformedUpdate, read_update
from threadline_server.rooms.update_writer import (
    NO_DELETES,
    Accepted,
    cut_string,
    write_struct,
    write_update,
)


def test_a_section_is_copied_between_its_changes() -> None:
    data = update(
        section(7, 0, string("ab", parent="t"), string("cd", origin=(7, 1)), string("e", origin=(7, 3)))
    )
    structs = read_update(data, DEFAULT_GATE_LIMITS).sections[0].structs
    accepted = Accepted(7, 0)
    accepted.count = 3
    accepted.data_start = structs[0].start
    accepted.data_end = structs[2].end
    assert write_update(data, [accepted], NO_DELETES) == data
    accepted.changes.append((structs[1].start, structs[1].end, string("CD", origin=(7, 1))))
    deletes = DeleteSet()
    for client, start, end in ((7, 3, 4), (7, 1, 2), (8, 0, 1), (7, 2, 3)):
        deletes.add(client, start, end)
    written = write_update(data, [accepted], deletes.encode())
    expected = section(
        7, 0, string("ab", parent="t"), string("CD", origin=(7, 1)), string("e", origin=(7, 3))
    )
    assert written == update(expected, deletes={7: [(1, 3)], 8: [(0, 1)]})


@settings(deadline=None)
@given(st.text(alphabet="aé漢👍", min_size=1, max_size=12), st.integers(0, 24))
def test_strings_are_cut_by_utf_16_units(text: str, units: int) -> None:
    encoded = text.encode("utf-16-le")
    units = min(units, len(encoded) // 2)
    try:
        expected = encoded[2 * units :].decode("utf-16-le")
        encoded[: 2 * units].decode("utf-16-le")
    except UnicodeDecodeError:
        with pytest.raises(MalformedUpdate):
            cut_string(text, units)
    else:
        assert cut_string(text, units) == expected


def test_the_rest_of_a_struct_is_what_yjs_would_write() -> None:
    """pycrdt, which has the first units, takes the rest as the same text."""
    data = update(section(7, 0, string("hello wörld 👍", parent="t")))
    item = read_update(data, DEFAULT_GATE_LIMITS).sections[0].structs[0]
    for known in range(1, 12):
        first = update(section(7, 0, string("hello wörld 👍"[:known], parent="t")))
        item.origin_client, item.origin_clock = 7, known - 1
        rest = update(section(7, known, write_struct(data, item, known)))
        assert str(document_of(first, rest).get("t", type=Text)) == "hello wörld 👍"


def test_the_rest_of_values() -> None:
    values = [b"\x77" + encode_text("a"), b"\x76\x01" + encode_text("k") + b"\x7d\x01", b"\x7e", b"\x75\x00"]
    data = update(section(7, 0, struct(8, b"\x04" + b"".join(values), parent="a")))
    item = read_update(data, DEFAULT_GATE_LIMITS).sections[0].structs[0]
    for known in range(1, 4):
        rest = struct(8, bytes((4 - known,)) + b"".join(values[known:]), origin=(7, known - 1))
        item.origin_client, item.origin_clock = 7, known - 1
        assert write_struct(data, item, known) == rest

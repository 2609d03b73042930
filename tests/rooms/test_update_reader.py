"""Every update that pycrdt writes is read; what is read is what was written."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.rooms.hostile_traffic import edit
from tests.rooms.said import document_of

from threadline.protocol.varint import encode_uint
from threadline_server.rooms.gate_limits import DEFAULT_GATE_LIMITS, GateLimits
from threadline_server.rooms.update_reader import MalformedUpdate, UpdateReader, read_update, utf16_length


@pytest.mark.parametrize("seed", range(20))
def test_what_pycrdt_writes_is_read(seed: int) -> None:
    document = document_of(client_id=seed + 1)
    rng = random.Random(seed)
    for _ in range(60):
        edit(rng, document)
    data = document.get_update()
    parsed = read_update(data, DEFAULT_GATE_LIMITS)
    for section in parsed.sections:
        clock = 0
        for item in section.structs:
            assert (item.client, item.clock) == (section.client, clock)
            assert item.start < item.end <= len(data)
            clock += item.length
    without = read_update(data, DEFAULT_GATE_LIMITS, values=False)
    assert [len(each.structs) for each in without.sections] == [len(each.structs) for each in parsed.sections]
    assert without.deletes == parsed.deletes


@settings(deadline=None)
@given(st.integers(0, (1 << 53) - 1))
def test_numbers(value: int) -> None:
    data = encode_uint(value)
    reader = UpdateReader(data, DEFAULT_GATE_LIMITS, True)
    assert reader.uint() == value
    assert reader.position == len(data)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_noise_is_read_or_malformed(data: bytes) -> None:
    for keep in (True, False):
        try:
            read_update(data, DEFAULT_GATE_LIMITS, values=keep)
        except MalformedUpdate as error:
            assert error.code == "malformed_update"


@settings(deadline=None)
@given(st.text(max_size=20))
def test_lengths_are_utf_16_units(text: str) -> None:
    assert utf16_length(text) == len(text.encode("utf-16-le")) // 2


def test_limits_are_the_callers() -> None:
    data = bytes.fromhex("01010700040101610178") + b"\x00"
    assert read_update(data, DEFAULT_GATE_LIMITS).sections[0].structs[0].root == "a"
    with pytest.raises(MalformedUpdate):
        read_update(data, GateLimits(max_name_chars=0))

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threadline.protocol.errors import InvalidText, MalformedFrame, NotCanonical, Oversized, Truncated
from threadline.protocol.limits import MAX_SAFE_INTEGER
from threadline.protocol.varint import Reader, encode_bytes, encode_int, encode_text, encode_uint


@pytest.mark.golden_file("varints")
def test_golden(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["hex"])
    reader = Reader(data)
    match case["kind"]:
        case "uint":
            assert encode_uint(case["value"]) == data
            assert reader.read_uint() == case["value"]
        case "int":
            assert encode_int(case["value"]) == data
            assert reader.read_int() == case["value"]
        case "text":
            assert encode_text(case["value"]) == data
            assert reader.read_text(100) == case["value"]
        case "bytes":
            assert encode_bytes(bytes.fromhex(case["value"])) == data
            assert reader.read_bytes(100).hex() == case["value"]
    reader.expect_end()


@given(st.integers(0, MAX_SAFE_INTEGER))
def test_uint_round_trip(value: int) -> None:
    reader = Reader(encode_uint(value))
    assert reader.read_uint() == value
    assert reader.remaining == 0


@given(st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER))
def test_int_round_trip(value: int) -> None:
    reader = Reader(encode_int(value))
    assert reader.read_int() == value
    assert reader.remaining == 0


@given(st.text())
def test_text_round_trip(value: str) -> None:
    reader = Reader(encode_text(value))
    assert reader.read_text(1 << 20) == value


@given(st.binary(max_size=24))
def test_what_reads_is_what_would_be_written(data: bytes) -> None:
    """A number has one encoding: reading and writing it again gives the same bytes."""
    for read, encode in ((Reader.read_uint, encode_uint), (Reader.read_int, encode_int)):
        reader = Reader(data)
        try:
            value = read(reader)
        except MalformedFrame:
            continue
        assert encode(value) == data[: reader.position]


@pytest.mark.parametrize("data", ["8000", "ff00", "ffffffffffffff1f", "8080808080808080808001"])
def test_numbers_have_one_form(data: str) -> None:
    with pytest.raises(NotCanonical):
        Reader(bytes.fromhex(data)).read_uint()


def test_a_long_run_of_continuations_is_cut_off() -> None:
    reader = Reader(b"\xff" * 300_000)
    with pytest.raises(NotCanonical):
        reader.read_uint()
    assert reader.position < 10


def test_minus_zero_is_refused() -> None:
    with pytest.raises(NotCanonical):
        Reader(b"\x40").read_int()


def test_bounds_are_checked_before_the_end_is_looked_for() -> None:
    with pytest.raises(Oversized) as caught:
        Reader(encode_uint(1 << 40)).read_bytes(10, "update")
    assert (caught.value.size, caught.value.limit) == (1 << 40, 10)


def test_truncation_and_bad_utf8() -> None:
    with pytest.raises(Truncated):
        Reader(b"\x05abc").read_bytes(10)
    with pytest.raises(InvalidText):
        Reader(b"\x01\xff").read_text(10)


@pytest.mark.parametrize("value", [-1, MAX_SAFE_INTEGER + 1])
def test_encoding_out_of_range(value: int) -> None:
    with pytest.raises(ValueError, match="varUint"):
        encode_uint(value)
    with pytest.raises(ValueError, match="varInt"):
        encode_int(-MAX_SAFE_INTEGER - 1)

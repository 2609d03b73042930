"""Turns and clocks as bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threadline_server.backplane.base import ClockRange, Entry, NodeId, Turn
from threadline_server.backplane.turn_bytes import (
    CHECK_BYTES,
    DamagedTurn,
    TurnEncoder,
    advance,
    decode_clocks,
    decode_turn,
    encode_clocks,
    encode_turn,
)

numbers = st.integers(min_value=0, max_value=2**53 - 1)
ranges = st.builds(
    lambda client, start, length: ClockRange(client, start, start + length), numbers, numbers, numbers
)
entries = st.builds(
    Entry, st.text(max_size=40), st.text(max_size=10), st.lists(ranges).map(tuple), st.binary(), numbers
)
turns = st.builds(Turn, st.text().map(NodeId), st.text(), st.lists(entries).map(tuple))


@given(turns)
def test_a_turn_comes_back_as_it_was(turn: Turn) -> None:
    assert decode_turn(encode_turn(turn, "trip"), "trip") == turn


@given(st.lists(turns, max_size=6))
def test_an_encoder_writes_each_turn_of_a_document_as_if_it_were_the_only_one(some: list[Turn]) -> None:
    encoder = TurnEncoder("trip")
    for turn in (*some, *some):
        for entry in turn.entries:
            one = Turn(turn.node, turn.epoch, (entry,))
            assert encoder.encode(one) == encode_turn(one, "trip")
        assert encoder.encode(turn) == encode_turn(turn, "trip")


@given(st.binary(max_size=80))
def test_any_bytes_are_a_turn_or_damaged(data: bytes) -> None:
    for prefix in (b"", b"\x01", b"\x02"):
        try:
            turn = decode_turn(prefix + data, "trip")
        except DamagedTurn:
            continue
        assert decode_turn(encode_turn(turn, "trip"), "trip") == turn


@given(turns, st.data())
def test_a_cut_or_extended_turn_is_damaged(turn: Turn, data: st.DataObject) -> None:
    whole = encode_turn(turn, "trip")
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(DamagedTurn):
        decode_turn(whole[:cut], "trip")
    with pytest.raises(DamagedTurn):
        decode_turn(whole + b"\x00", "trip")


@given(turns, st.data())
def test_a_turn_with_a_bit_changed_is_damaged(turn: Turn, data: st.DataObject) -> None:
    whole = bytearray(encode_turn(turn, "trip"))
    bit = data.draw(st.integers(0, 8 * len(whole) - 1))
    whole[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DamagedTurn):
        decode_turn(bytes(whole), "trip")


@given(turns)
def test_a_turn_in_the_log_of_another_document_is_damaged(turn: Turn) -> None:
    with pytest.raises(DamagedTurn):
        decode_turn(encode_turn(turn, "trip"), "trip~ada")


@given(turns)
def test_a_turn_of_before_there_were_checks_is_read(turn: Turn) -> None:
    unchecked = b"\x01" + encode_turn(turn, "trip")[1:-CHECK_BYTES]
    assert decode_turn(unchecked, "trip") == turn


@given(st.dictionaries(numbers, numbers))
def test_clocks_come_back_as_they_were(clocks: dict[int, int]) -> None:
    assert decode_clocks(encode_clocks(clocks)) == clocks


def test_clocks_that_end_in_a_number_are_damaged() -> None:
    with pytest.raises(DamagedTurn):
        decode_clocks(encode_clocks({7: 300})[:-1])


def test_a_keystroke_costs_few_bytes_beside_its_update() -> None:
    entry = Entry("ada", "owner", (ClockRange(3_000_000_000, 12, 13),), b"u" * 25, 1_700_000_000_000)
    turn = Turn(NodeId("node-1"), "0198c0de", (entry, entry, entry))
    assert len(encode_turn(turn, "trip")) <= 3 * (25 + 20) + 30


def test_turns_advance_clocks_and_never_take_them_back() -> None:
    entry = Entry("ada", "owner", (ClockRange(1, 2, 5), ClockRange(2, 0, 1)), b"", 0)
    assert advance({1: 9, 3: 4}, [Turn(NodeId("a"), "e", (entry,))]) == {1: 9, 2: 1, 3: 4}

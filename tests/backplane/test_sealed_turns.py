"""Turns that were sealed in this process."""

from __future__ import annotations

import os

from threadline_server.backplane.base import (
    Append,
    ClockRange,
    DocumentName,
    Entry,
    LoggedTurn,
    NodeId,
    Position,
    Turn,
)
from threadline_server.backplane.cipher import CIPHER_KEY_BYTES, Cipher
from threadline_server.backplane.sealed_turns import open_turn, seal
from threadline_server.backplane.turn_bytes import decode_turn, encode_turn

TRIP = DocumentName("trip")
FIRST = Position(1)


def an_append() -> Append:
    entries = (Entry("ada", "owner", (ClockRange(7, 0, 3),), b"plain", 1_000),)
    return Append(TRIP, "l1", Turn(NodeId("one"), "e1", entries), _ignore, _ignore, _ignore)


def sealed_by(key: Cipher, append: Append) -> Turn:
    seal(key, append)
    return append.stored


def _ignore(*told: object) -> None:
    pass


def cipher() -> Cipher:
    return Cipher(os.urandom(CIPHER_KEY_BYTES))


def test_a_store_keeps_the_turn_itself_where_nothing_seals() -> None:
    append = an_append()
    assert append.stored is append.turn


def test_a_sealed_turn_is_opened_where_it_was_not_made() -> None:
    key, append = cipher(), an_append()
    read = _read_back(sealed_by(key, append))
    assert read.entries[0].update != b"plain"
    assert append.turn.entries[0].update == b"plain"
    assert open_turn(key, TRIP, LoggedTurn(FIRST, read)) == LoggedTurn(FIRST, append.turn)


def test_a_turn_that_was_sealed_here_need_not_be_opened() -> None:
    append = an_append()
    logged = LoggedTurn(FIRST, sealed_by(cipher(), append))
    assert open_turn(cipher(), TRIP, logged).turn is append.turn  # another key would not open it


def test_a_sealed_turn_equals_what_the_store_reads_back() -> None:
    """By that a store tells, after a restart, whether what it was sent is there."""
    sealed = sealed_by(cipher(), an_append())
    read = _read_back(sealed)
    assert LoggedTurn(FIRST, read) == LoggedTurn(FIRST, sealed)
    assert LoggedTurn(FIRST, sealed) == LoggedTurn(FIRST, read)
    assert hash(sealed) == hash(read)
    assert sealed != an_append().turn


def test_a_turn_that_is_sealed_again_is_the_same_bytes() -> None:
    """A store knows a retry by them."""
    key, append = cipher(), an_append()
    first = sealed_by(key, append)
    assert encode_turn(sealed_by(key, append), TRIP) == encode_turn(first, TRIP)


def _read_back(turn: Turn) -> Turn:
    return decode_turn(encode_turn(turn, TRIP), TRIP)

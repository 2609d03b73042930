"""Turns that were sealed in this process."""

from __future__ import annotations

import os

from tests.contract.writing import unawaited

from threadline_server.backplane.base import (
    Append,
    AppendRefused,
    ClockRange,
    DocumentName,
    Entry,
    LoggedTurn,
    NodeId,
    Position,
    Turn,
)
from threadline_server.backplane.cipher import CIPHER_KEY_BYTES, Cipher
from threadline_server.backplane.sealed_turns import open_turn, seal_append
from threadline_server.backplane.turn_bytes import decode_turn, encode_turn

TRIP = DocumentName("trip")
FIRST = Position(1)


class Ends:
    """An append, and what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Append]] = []
        entries = (Entry("ada", "owner", (ClockRange(7, 0, 3),), b"plain", 1_000),)
        self.append = Append(
            TRIP, "l1", Turn(NodeId("one"), "e1", entries), self._taken, self._durable, self._refused
        )

    def _taken(self, append: Append, position: Position) -> None:
        self.told.append((f"taken {position}", append))

    def _durable(self, append: Append) -> None:
        self.told.append(("durable", append))

    def _refused(self, append: Append, refusal: AppendRefused) -> None:
        self.told.append((refusal.code, append))


def cipher() -> Cipher:
    return Cipher(os.urandom(CIPHER_KEY_BYTES))


def test_what_becomes_of_a_sealed_append_is_told_of_the_original() -> None:
    ends = Ends()
    sealed = seal_append(cipher(), ends.append)
    sealed.on_taken(sealed, FIRST)
    sealed.on_durable(sealed)
    sealed.on_refused(sealed, AppendRefused("no"))
    assert ends.told == [(what, ends.append) for what in ("taken 1", "durable", "append_refused")]


def test_a_sealed_append_is_awaited_where_the_original_is() -> None:
    append = Ends().append
    assert seal_append(cipher(), append).awaited
    assert not seal_append(cipher(), unawaited(append)).awaited


def test_a_sealed_turn_is_opened_where_it_was_not_made() -> None:
    key, append = cipher(), Ends().append
    read = _read_back(seal_append(key, append).turn)
    assert read.entries[0].update != b"plain"
    assert open_turn(key, TRIP, LoggedTurn(FIRST, read)) == LoggedTurn(FIRST, append.turn)


def test_a_turn_that_was_sealed_here_need_not_be_opened() -> None:
    append = Ends().append
    logged = LoggedTurn(FIRST, seal_append(cipher(), append).turn)
    assert open_turn(cipher(), TRIP, logged).turn is append.turn  # another key would not open it


def test_a_sealed_turn_equals_what_the_store_reads_back() -> None:
    """By that a store tells, after a restart, whether what it was sent is there."""
    sealed = seal_append(cipher(), Ends().append).turn
    read = _read_back(sealed)
    assert LoggedTurn(FIRST, read) == LoggedTurn(FIRST, sealed)
    assert LoggedTurn(FIRST, sealed) == LoggedTurn(FIRST, read)
    assert hash(sealed) == hash(read)
    assert sealed != Ends().append.turn


def _read_back(turn: Turn) -> Turn:
    return decode_turn(encode_turn(turn, TRIP), TRIP)

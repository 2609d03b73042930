"""The frames that bring a member level."""

from __future__ import annotations

from collections.abc import Hashable

from threadline_server.edge.encoders import YWEBSOCKET, for_address
from threadline_server.rooms.catching_up import joined, step2_frames, update_frames
from threadline_server.rooms.replica import Difference


def test_the_step_2_comes_last() -> None:
    difference = Difference(b"base", (b"one", b"two"))
    expected = [YWEBSOCKET.update(b"base"), YWEBSOCKET.update(b"one"), YWEBSOCKET.step2(b"two")]
    assert step2_frames(difference, YWEBSOCKET) == expected
    assert step2_frames(Difference(b"base"), YWEBSOCKET) == [YWEBSOCKET.step2(b"base")]


def test_an_encoding_is_framed_once_for_each_dialect() -> None:
    difference = Difference(b"x" * 100_000, frames={})
    other = for_address(b"\x04trip")
    first = step2_frames(difference, YWEBSOCKET)[0]
    assert step2_frames(difference, YWEBSOCKET)[0] is first
    assert update_frames(difference, YWEBSOCKET)[0] == YWEBSOCKET.update(difference.step2)
    assert step2_frames(difference, other)[0] == other.step2(difference.step2)


def test_what_others_call_the_document_is_not_kept_for_ever() -> None:
    kept: dict[Hashable, bytes] = {}
    for number in range(20):
        encoder = for_address(bytes((1, number)))
        assert step2_frames(Difference(b"base", frames=kept), encoder) == [encoder.step2(b"base")]
    assert len(kept) <= 4


def test_small_frames_are_one_write_and_large_ones_are_not_copied() -> None:
    large = b"x" * 100_000
    assert joined([b"a", b"b"]) == [b"ab"]
    pieces = joined([b"a", b"b", large, b"c"])
    assert pieces == [b"ab", large, b"c"]
    assert pieces[1] is large
    assert joined([large]) == [large]

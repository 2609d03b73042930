"""The frames that bring a member level."""

from __future__ import annotations

import pytest

from threadline_server.edge.encoders import YWEBSOCKET, for_address
from threadline_server.rooms.catching_up import joined, step2_frames, update_frames
from threadline_server.rooms.member import Encoder
from threadline_server.rooms.replica import Difference


def test_the_step_2_comes_last() -> None:
    difference = Difference(b"base", (b"one", b"two"))
    expected = [YWEBSOCKET.update(b"base"), YWEBSOCKET.update(b"one"), YWEBSOCKET.step2(b"two")]
    assert step2_frames(difference, YWEBSOCKET) == expected
    assert step2_frames(Difference(b"base"), YWEBSOCKET) == [YWEBSOCKET.step2(b"base")]


@pytest.mark.parametrize("encoder", [YWEBSOCKET, for_address(b"\x04trip")])
@pytest.mark.parametrize("size", [0, 100, 70_000, 100_000])
def test_a_large_update_is_not_copied_into_its_frame(encoder: Encoder, size: int) -> None:
    encoding, update = b"x" * size, b"y" * size
    difference = Difference(encoding, (update,))
    frames = [encoder.update(encoding), encoder.step2(update)]
    assert b"".join(step2_frames(difference, encoder)) == b"".join(frames)
    assert b"".join(update_frames((encoding, update), encoder)) == frames[0] + encoder.update(update)
    copied = size < 64 * 1024
    for pieces in (step2_frames(difference, encoder), update_frames((encoding,), encoder)):
        assert any(piece is encoding for piece in pieces) is not copied


def test_small_frames_are_one_write_and_large_ones_are_not_copied() -> None:
    large = b"x" * 100_000
    assert joined([b"a", b"b"]) == [b"ab"]
    pieces = joined([b"a", b"b", large, b"c"])
    assert pieces == [b"ab", large, b"c"]
    assert pieces[1] is large
    assert joined([large]) == [large]

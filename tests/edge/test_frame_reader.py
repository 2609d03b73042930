from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from threadline.protocol.errors import MalformedFrame, Oversized
from threadline_server.edge.frame_reader import FrameReader
from threadline_server.edge.frames import BINARY, CLOSE, CONTINUATION, PING

FREE_BYTES = 1000
Messages = list[tuple[int, bytes]]


def client_frame(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    return Frame(Opcode(opcode), payload, fin=final).serialize(mask=True)


def refuse_large(size: int, prefix: bytes) -> None:
    raise Oversized("a message", size, FREE_BYTES)


def reader(grant: Callable[[int, bytes], None] = refuse_large) -> FrameReader:
    return FrameReader(FREE_BYTES, grant)


def drain(frames: FrameReader) -> Messages:
    found: Messages = []
    while (payload := frames.next()) is not None:
        if frames.opcode != CONTINUATION:
            found.append((frames.opcode, payload))
    return found


def fragments(parts: list[bytes]) -> list[bytes]:
    last = len(parts) - 1
    return [
        client_frame(BINARY if i == 0 else CONTINUATION, part, final=i == last)
        for i, part in enumerate(parts)
    ]


_MESSAGE = st.lists(st.binary(max_size=200), min_size=1, max_size=4)
_STREAM = st.lists(st.tuples(_MESSAGE, st.none() | st.binary(max_size=125)), max_size=6)


@given(_STREAM, st.lists(st.integers(1, 60), min_size=1))
def test_any_cut_of_the_stream_gives_the_same_messages(
    stream: list[tuple[list[bytes], bytes | None]], cuts: list[int]
) -> None:
    """Fragmented messages with pings between their fragments, fed in pieces of arbitrary sizes."""
    data = b""
    expected: Messages = []
    for parts, ping in stream:
        frames = fragments(parts)
        if ping is not None:
            frames.insert(1, client_frame(PING, ping))
            expected.append((PING, ping))
        message = (BINARY, b"".join(parts))
        expected.insert(len(expected) - (ping is not None and len(parts) == 1), message)
        data += b"".join(frames)
    frames_read = reader()
    found: Messages = []
    position, turn = 0, 0
    while position < len(data):
        size = cuts[turn % len(cuts)]
        frames_read.feed(data[position : position + size])
        found += drain(frames_read)
        position, turn = position + size, turn + 1
    assert found == expected
    assert not frames_read.has_more


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(Frame(Opcode.BINARY, b"x" * 10).serialize(mask=False), id="no mask"),
        pytest.param(b"\xc2" + client_frame(BINARY, b"x")[1:], id="compressed"),
        pytest.param(client_frame(1, b"text"), id="text"),
        pytest.param(client_frame(CONTINUATION, b"x"), id="continuation of nothing"),
        pytest.param(
            client_frame(BINARY, b"x", final=False) + client_frame(BINARY, b"y"), id="two messages at once"
        ),
        pytest.param(b"\x83" + client_frame(BINARY, b"x")[1:], id="opcode 3"),
        pytest.param(b"\x09" + client_frame(BINARY, b"x")[1:], id="fragmented ping"),
        pytest.param(b"\x89\xfe\x00\x80" + bytes(132), id="ping of 128 bytes"),
    ],
)
def test_what_the_protocol_does_not_allow(frame: bytes) -> None:
    frames = reader()
    frames.feed(frame)
    with pytest.raises(MalformedFrame):
        drain(frames)


def test_a_large_message_is_judged_by_its_first_bytes() -> None:
    asked: list[tuple[int, bytes]] = []
    frames = reader(lambda size, prefix: asked.append((size, prefix)))
    message = bytes(range(250)) * 40
    data = client_frame(BINARY, message)
    frames.feed(data[:100])
    assert frames.next() is None
    assert asked == []
    for start in range(100, len(data), 997):
        frames.feed(data[start : start + 997])
        if start < 9000:
            assert frames.next() is None
    assert frames.next() == message
    assert [size for size, _ in asked] == [len(message)]
    assert message.startswith(asked[0][1])


def test_an_announced_size_is_refused_before_its_bytes_come() -> None:
    frames = reader()
    frames.feed(b"\x82\xff" + (1 << 62).to_bytes(8, "big") + bytes(4) + bytes(700))
    with pytest.raises(Oversized) as caught:
        frames.next()
    assert caught.value.size == 1 << 62


def test_fragments_count_together() -> None:
    frames = reader()
    part = client_frame(CONTINUATION, b"x" * 600, final=False)
    frames.feed(client_frame(BINARY, b"x" * 600, final=False) + part)
    assert frames.next() == b""
    with pytest.raises(Oversized) as caught:
        frames.next()
    assert caught.value.size == 1200


def test_the_limit_is_back_after_a_granted_message() -> None:
    grants: list[int] = []
    frames = reader(lambda size, prefix: grants.append(size))
    frames.feed(client_frame(BINARY, b"x" * 5000) * 2)
    assert [len(payload) for _, payload in drain(frames)] == [5000, 5000]
    assert grants == [5000, 5000]


def test_close_is_given_with_its_code() -> None:
    frames = reader()
    frames.feed(client_frame(CLOSE, b"\x03\xe8bye"))
    assert drain(frames) == [(CLOSE, b"\x03\xe8bye")]

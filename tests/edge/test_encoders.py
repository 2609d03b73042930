"""What rooms send is what the protocol package reads back, in frames that a WebSocket client accepts."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from threadline.protocol import hocuspocus, ywebsocket
from threadline.protocol.hocuspocus import Stateless, SyncStatus
from threadline.protocol.sync import SyncStep1, SyncStep2, Update
from threadline.protocol.varint import encode_text
from threadline.protocol.ywebsocket import AwarenessUpdate
from threadline_server.edge.document_channel import plain_bytes
from threadline_server.edge.encoders import YWEBSOCKET, HocuspocusEncoder, for_address
from threadline_server.edge.frames import close_frame, pong_frame

Result = TypeVar("Result")


def messages_in(data: bytes) -> list[bytes]:
    """Payloads of complete binary messages, read by the websockets library."""
    stream = StreamReader()
    stream.feed_data(data)
    stream.feed_eof()
    found = []
    while not _at_end(stream):
        frame = _run(Frame.parse(stream.read_exact, mask=False, max_size=None))
        assert frame.opcode is Opcode.BINARY
        assert frame.fin
        found.append(bytes(frame.data))
    return found


def _at_end(stream: StreamReader) -> bool:
    return _run(stream.at_eof())


def _run(generator: Generator[None, None, Result]) -> Result:
    try:
        next(generator)
    except StopIteration as stop:
        result: Result = stop.value
        return result
    raise AssertionError("the frame is incomplete")


PAYLOADS = st.binary(max_size=300) | st.sampled_from([b"", b"x" * 65_535, b"x" * 70_000])


@given(PAYLOADS)
def test_ywebsocket(payload: bytes) -> None:
    data = (
        YWEBSOCKET.step1(payload)
        + YWEBSOCKET.step2(payload)
        + YWEBSOCKET.update(payload)
        + YWEBSOCKET.awareness(payload)
    )
    assert [ywebsocket.decode_from_server(frame) for frame in messages_in(data)] == [
        SyncStep1(payload),
        SyncStep2(payload),
        Update(payload),
        AwarenessUpdate(payload),
    ]
    assert YWEBSOCKET.saved(3) + YWEBSOCKET.refused() + YWEBSOCKET.stateless("x") == b""


@given(PAYLOADS, st.sampled_from(["trip", "trip\0p1", "é" * 100]))
def test_hocuspocus(payload: bytes, address: str) -> None:
    encoder = for_address(encode_text(address))
    data = (
        encoder.step1(payload)
        + encoder.step2(payload)
        + encoder.update(payload)
        + encoder.awareness(payload)
        + encoder.saved(2)
        + encoder.refused()
        + encoder.stateless("é")
    )
    frames = [hocuspocus.decode_from_server(frame) for frame in messages_in(data)]
    assert {frame.address for frame in frames} == {address}
    assert [frame.message for frame in frames] == [
        SyncStep1(payload),
        SyncStep2(payload),
        Update(payload),
        AwarenessUpdate(payload),
        SyncStatus(True),
        SyncStatus(True),
        SyncStatus(False),
        Stateless("é"),
    ]


def test_encoders_of_one_address_are_equal() -> None:
    one, other = HocuspocusEncoder(b"\x01a"), HocuspocusEncoder(b"\x01a")
    assert one == other
    assert hash(one) == hash(other)
    assert one != HocuspocusEncoder(b"\x01b")
    assert for_address(b"\x01a") is for_address(b"\x01a")


@given(st.binary(max_size=300), st.binary(max_size=3))
def test_the_quick_look_agrees_with_the_strict_reader(payload: bytes, extra: bytes) -> None:
    frame = ywebsocket.encode(Update(payload))
    assert plain_bytes(frame, 2) == payload
    if extra:
        assert plain_bytes(frame + extra, 2) is None


@pytest.mark.parametrize("frame", [b"\x00\x02", b"\x00\x02\x80", b"\x00\x02\x80\x00", b"\x00\x02\x81\x00x"])
def test_the_quick_look_leaves_what_is_odd_to_the_strict_reader(frame: bytes) -> None:
    assert plain_bytes(frame, 2) is None


def test_control_frames() -> None:
    assert close_frame(4409, "replica_rejected") == b"\x88\x12\x11\x39replica_rejected"
    assert len(close_frame(4400, "é" * 200)) <= 2 + 125
    assert pong_frame(b"abc") == b"\x8a\x03abc"

"""Both dialects against the golden frames, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocol.messages import message_of

from threadline.protocol import hocuspocus, ywebsocket
from threadline.protocol.awareness import decode_awareness
from threadline.protocol.errors import MalformedFrame, Oversized
from threadline.protocol.limits import Limits
from threadline.protocol.sync import Update


@pytest.mark.golden_file("ywebsocket")
def test_ywebsocket_golden(case: dict[str, Any]) -> None:
    frame = bytes.fromhex(case["hex"])
    message = message_of(case)
    assert ywebsocket.encode(message) == frame
    assert ywebsocket.decode_from_server(frame) == message
    if case["from"] != "server":
        assert ywebsocket.decode_from_client(frame) == message


@pytest.mark.golden_file("hocuspocus")
def test_hocuspocus_golden(case: dict[str, Any]) -> None:
    frame = bytes.fromhex(case["hex"])
    message = message_of(case)
    assert hocuspocus.encode(case["address"], message) == frame
    if case["from"] != "server":
        assert hocuspocus.decode_from_client(frame) == hocuspocus.ClientFrame(case["address"], message)
    if case["from"] != "client":
        assert hocuspocus.decode_from_server(frame) == hocuspocus.ServerFrame(case["address"], message)


@pytest.mark.golden_file("refused")
def test_refused(case: dict[str, Any]) -> None:
    readers: dict[str, Any] = {
        "ywebsocket": ywebsocket.decode_from_client,
        "hocuspocus": hocuspocus.decode_from_client,
        "awareness": decode_awareness,
    }
    with pytest.raises(MalformedFrame) as caught:
        readers[case["reader"]](bytes.fromhex(case["hex"]))
    assert caught.value.code == case["error"]


@given(st.binary(max_size=40))
def test_ywebsocket_has_one_reading(frame: bytes) -> None:
    """Any bytes are refused with a typed error, or are exactly what their message encodes to."""
    try:
        message = ywebsocket.decode_from_server(frame)
    except MalformedFrame:
        return
    assert ywebsocket.encode(message) == frame


@given(st.binary(max_size=40) | st.binary(max_size=30).map(lambda tail: b"\x02d2" + tail))
def test_hocuspocus_has_one_reading(frame: bytes) -> None:
    for decode in (hocuspocus.decode_from_client, hocuspocus.decode_from_server):
        try:
            found = decode(frame)
        except MalformedFrame:
            continue
        assert hocuspocus.encode(found.address, found.message) == frame


@given(st.binary(max_size=200), st.integers(0, 200))
def test_every_proper_prefix_is_refused(update: bytes, cut: int) -> None:
    frame = hocuspocus.encode("trip", Update(update))
    with pytest.raises(MalformedFrame):
        hocuspocus.decode_from_client(frame[: min(cut, len(frame) - 1)])


def test_limits_of_the_settings_apply() -> None:
    frame = ywebsocket.encode(Update(b"x" * 11))
    with pytest.raises(Oversized):
        ywebsocket.decode_from_client(frame, Limits(max_step2_bytes=10))


def test_split_address() -> None:
    assert hocuspocus.split_address("trip\0p1") == ("trip", "p1")
    assert hocuspocus.split_address("trip") == ("trip", "")

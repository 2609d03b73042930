"""The y-websocket dialect on a real node, byte by byte."""

from __future__ import annotations

import asyncio

import pytest
from tests.edge.sync_server import SyncServer
from tests.edge.wire_client import ywebsocket_wire

from threadline.protocol import close_codes
from threadline.protocol.close_codes import parse_reason

# m.k = "v" of client 1, as stock clients send it; `m` is a root outside the schema.
UPDATE = bytes.fromhex("01010100280101 6d 01 6b 01 77 01 76 00")
UPDATE_FRAME = b"\x00\x02\x0f" + UPDATE
STEP1 = b"\x00\x00\x01\x00"
EMPTY_STEP2 = b"\x00\x01\x02\x00\x00"


@pytest.mark.asyncio
async def test_the_captured_handshake(server: SyncServer) -> None:
    async with ywebsocket_wire(server, "d2?token=ada") as wire:
        await wire.send(STEP1)
        first = await wire.receive()
        assert first[:2] == b"\x00\x00", "the server's step 1 comes first"
        second = await wire.receive()
        assert second[:2] == b"\x00\x01", "then the answer to ours, also when it is empty"
        await wire.send(EMPTY_STEP2)
        await wire.send(b"\x01\x06\x01\x01\x00\x02{}")
        echoed = await wire.receive()
        assert echoed[0] == 1, "one's own presence comes back: silence is taken for a dead connection"


@pytest.mark.asyncio
async def test_an_update_reaches_the_other_and_not_its_sender(server: SyncServer) -> None:
    async with ywebsocket_wire(server, "d2?token=ada") as ada, ywebsocket_wire(server, "d2?token=bob") as bob:
        for wire in (ada, bob):
            await wire.send(STEP1)
            await wire.receive()
            await wire.receive()
        await ada.send(UPDATE_FRAME)
        while await bob.receive() != UPDATE_FRAME:  # the server's own stamp of a new session
            pass
        await ada.send(b"\x03")
        while (answer := await ada.receive()) != b"\x01\x01\x00":
            assert answer != UPDATE_FRAME


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("frame", "close"),
    [
        (b"", close_codes.MALFORMED),
        (b"\x00\x02\x0f\x01", close_codes.MALFORMED),
        (STEP1 + b"\x00", close_codes.MALFORMED),
        (b"\x04\x00", close_codes.MALFORMED),
        (b"\x02\x00\x00", close_codes.MALFORMED),
        (b"\x00\x00\x05\x80\x80\x80\x80\x02", close_codes.MALFORMED),
        (b"\x00\x02\x05\x80\x80\x80\x80\x01", close_codes.MALFORMED),
        (b"\x01\x05\x01\x01\x00\x01[", close_codes.MALFORMED),
        (b"\x01\x80\x80\x80\x01" + bytes(1 << 21), close_codes.TOO_LARGE),
    ],
    ids=str,
)
async def test_bad_frames_end_their_socket_only(
    server: SyncServer, frame: bytes, close: close_codes.CloseCode
) -> None:
    async with ywebsocket_wire(server, "d2?token=ada") as ada, ywebsocket_wire(server, "d2?token=bob") as bob:
        await bob.send(STEP1)
        await bob.receive()
        await bob.receive()
        await ada.send(STEP1)
        await ada.receive()
        await ada.receive()
        await ada.send(frame)
        code, reason = await ada.until_closed()
        assert (code, parse_reason(reason)[0]) == (close.code, close)
        await bob.send(UPDATE_FRAME)
        await bob.send(b"\x03")
        while await bob.receive() != b"\x01\x01\x00":
            pass


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("path", "close"),
    [
        ("a/b?token=ada", close_codes.INVALID_NAME),
        ("a%20b?token=ada", close_codes.INVALID_NAME),
        ("d2?token=agent:x", close_codes.UNAUTHORIZED),
        ("d2~bob?token=ada", close_codes.FORBIDDEN),
        ("d2?token=ada&lineage=other", close_codes.LINEAGE_MISMATCH),
        ("d2?token=ada&device=%00", close_codes.MALFORMED),
        ("d2?token=" + "x" * 9000, close_codes.TOO_LARGE),
    ],
)
async def test_refusals_are_close_codes(server: SyncServer, path: str, close: close_codes.CloseCode) -> None:
    async with ywebsocket_wire(server, path) as wire:
        code, reason = await wire.until_closed()
        assert (code, parse_reason(reason)[0]) == (close.code, close)


@pytest.mark.asyncio
async def test_many_devices_come_at_once(server: SyncServer) -> None:
    async def come(number: int) -> bytes:
        async with ywebsocket_wire(server, f"busy?token=user{number}") as wire:
            await wire.send(STEP1)
            await wire.receive()
            return await wire.receive()

    answers = await asyncio.gather(*(come(number) for number in range(50)))
    assert {answer[:2] for answer in answers} == {b"\x00\x01"}

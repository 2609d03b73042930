"""What a socket gets and costs before it has said who it is, at its worst."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.attacks.bare_device import BareDevice, masked
from tests.attacks.bystanders import bystanders
from tests.attacks.conftest import GUARDED, share
from tests.attacks.mark import PAIR
from tests.attacks.test_fuzz import memory_of, metric
from tests.server_process import server_process

from threadline.protocol import hocuspocus
from threadline.protocol.hocuspocus import Stateless
from threadline.protocol.limits import DEFAULT_LIMITS
from threadline.protocol.sync import SyncStep1
from threadline.protocol.ywebsocket import QueryAwareness

MOST_BYTES = 1_000_000
MESSAGE_BYTES = 60_000
LARGE = masked(hocuspocus.encode(PAIR, Stateless("x" * MESSAGE_BYTES)))
MESSAGES = DEFAULT_LIMITS.max_pending_bytes // MESSAGE_BYTES


async def press(device: BareDevice) -> None:
    """As much as a socket without a token may leave with the server, and half of a message more."""
    await device.connect()
    for question in (SyncStep1(b"\x00"), QueryAwareness()):
        await device.send_raw(masked(hocuspocus.encode(PAIR, question)))
    for _ in range(MESSAGES):
        await device.send_raw(LARGE)
    await device.send_raw(LARGE[:-1])


async def overdo(device: BareDevice) -> None:
    """One byte more, and read to the end."""
    await device.send_raw(LARGE[-1:])
    await device.read_on()


@pytest.mark.asyncio
async def test_sockets_without_a_token(tmp_path: Path, full: bool, figures: Callable[[str], None]) -> None:
    count = 300 if full else 40
    arguments = (*GUARDED, "--authentication-deadline-s", "600")
    async with server_process(tmp_path / "data", *arguments) as server:
        await share(server.url, PAIR, "ada", bob="editor")
        async with bystanders(server.url) as pair:
            before = memory_of(server.pid)
            strangers = [BareDevice(server.url, PAIR, "") for _ in range(count)]
            await asyncio.gather(*map(press, strangers))
            await pair.measure(20)
            each = (memory_of(server.pid) - before) / count
            assert await metric(server, "threadline_edge_connections") == count + 2
            figures(f"{count} sockets without a token: {each / 1000:.0f} KB each")
            assert each < MOST_BYTES
            await asyncio.gather(*map(overdo, strangers))
            assert {device.close_code for device in strangers} == {4431}
            assert {device.received for device in strangers} == {0}
            await pair.assert_untouched()

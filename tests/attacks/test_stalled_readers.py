"""Members that stop reading: each costs a bounded buffer, nobody waits for them, and they catch up later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pycrdt import Doc
from tests.attacks.bare_device import BareDevice
from tests.attacks.bystanders import Bystanders, bystanders
from tests.attacks.conftest import GUARDED, share
from tests.attacks.mark import PAIR
from tests.attacks.test_fuzz import memory_of, metric
from tests.server_process import server_process
from tests.signing import token_of

from threadline.document.digest import session_digest

MOST_BYTES = 1 << 20
SLOWER_AT_MOST = 1.2
TRIES = 3
PIECE = "x" * 50_000
PIECES = 160
"""Eight megabytes: more than the buffers on the way hold."""


@dataclass(frozen=True, slots=True)
class Size:
    reading: int
    stalled: int
    measured: int


SHORT = Size(reading=10, stalled=40, measured=20)
FULL = Size(reading=200, stalled=100, measured=400)


@asynccontextmanager
async def members(url: str, count: int) -> AsyncIterator[list[BareDevice]]:
    """Devices that are in the pair's session and have all of it; they read until they are stalled."""
    devices = [BareDevice(url, PAIR, token_of("bob")) for _ in range(count)]
    for device in devices:
        await device.enter()
        await device.synchronise()
    try:
        yield devices
    finally:
        for device in devices:
            device.leave()


async def write_much(pair: Bystanders) -> None:
    """More than a stalled reader's buffers take, a piece at a time, into a value that each replaces."""
    for number in range(PIECES):
        await pair.ada.set("/large", f"{number} {PIECE}")
        await pair.ada.until_saved()


async def all_behind(server: Any, count: int) -> None:
    async with asyncio.timeout(30):
        while await metric(server, "threadline_rooms_behind") < count:  # noqa: ASYNC110 - another process knows
            await asyncio.sleep(0.05)


def replica_of(device: BareDevice) -> Doc[Any]:
    """All that the device was sent, in order."""
    doc: Doc[Any] = Doc()
    for update in device.updates or ():
        doc.apply_update(update)
    return doc


@pytest.mark.asyncio
async def test_members_that_stop_reading(tmp_path: Path, full: bool, figures: Callable[[str], None]) -> None:
    size = FULL if full else SHORT
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(server_process(tmp_path / "data", *GUARDED))
        await share(server.url, PAIR, "ada", bob="editor")
        pair = await stack.enter_async_context(bystanders(server.url))
        reading = await stack.enter_async_context(members(server.url, size.reading))
        stalled = await stack.enter_async_context(members(server.url, size.stalled))
        readers = [asyncio.create_task(device.read_on()) for device in reading]
        awake = [asyncio.create_task(device.read_on()) for device in stalled]
        await write_much(pair)  # while all read: what the document itself takes is no cost of theirs
        calm = await pair.measure(size.measured)
        before = memory_of(server.pid)
        for task, device in zip(awake, stalled, strict=True):
            task.cancel()
            device.stall()
        await asyncio.gather(*awake, return_exceptions=True)
        await write_much(pair)
        await all_behind(server, size.stalled)
        each = (memory_of(server.pid) - before) / size.stalled
        ratio, tries = 99.0, 0
        while ratio > SLOWER_AT_MOST and tries < (TRIES if full else 1):
            during = await pair.measure(size.measured)
            ratio, tries = during.p99 / calm.p99, tries + 1
        figures(
            f"{size.stalled} of {size.stalled + size.reading} members stalled: {each / 1000:.0f} KB each; "
            f"others calm {calm}; then {during}; p99 x{ratio:.2f}"
        )
        assert each <= MOST_BYTES
        assert not full or ratio <= SLOWER_AT_MOST
        for device in stalled:
            device.resume()
        readers += [asyncio.create_task(device.read_on()) for device in stalled]
        await pair.ada.until_saved()
        digest = pair.ada.digest()
        for device in (*stalled, reading[0]):
            async with asyncio.timeout(60):
                while session_digest(replica_of(device)) != digest:
                    await device.until_more()
        for task in readers:
            task.cancel()
        await asyncio.gather(*readers, return_exceptions=True)

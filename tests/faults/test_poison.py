"""Poison in the store: its session is set aside, everybody else goes on, and the node starts again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from tests.contract.redis_servers import redis_server
from tests.faults.poison import POISON, plant
from tests.raw_device import RawDevice
from tests.server_process import ThreadlineProcess, server_process

from threadline_server.backplane.base import NodeId
from threadline_server.backplane.embedded import EmbeddedBackplane
from threadline_server.backplane.redis import RedisBackplane

SHORT_OTHERS, OTHERS = 9, 99
SET_ASIDE_S = 5.0


@asynccontextmanager
async def joined(devices: Sequence[RawDevice], url: str) -> AsyncIterator[None]:
    """All of them, until the end; then none was ever cut off."""
    for device in devices:
        await device.join(url)
    try:
        for device in devices:
            await device.until_synced()
        yield
        assert [device.close_code or device.document_closed for device in devices] == [None] * len(devices)
    finally:
        for device in devices:
            await device.leave()


async def write(devices: Sequence[RawDevice], key: str) -> None:
    """Each writes, and is told that it is durable."""
    for device in devices:
        await device.set(f"/{key}", device.session)
    for device in devices:
        await device.until_saved()


async def seconds_until_set_aside(url: str, session: str) -> float:
    """How long a device that opens the session waits for its refusal."""
    began = time.monotonic()
    device = RawDevice(session, "eve")
    async with asyncio.timeout(SET_ASIDE_S):
        while True:
            await device.join(url)
            await until_refused(device)
            said = refusal_of(device)
            await device.leave()
            if "read safely" in said:
                return time.monotonic() - began


async def until_refused(device: RawDevice) -> None:
    await device.until(lambda: refusal_of(device) != "", "it was refused")


def other_sessions(full: bool) -> list[RawDevice]:
    """A device each."""
    count = OTHERS if full else SHORT_OTHERS
    return [RawDevice(f"other-{number}", f"user-{number}") for number in range(count)]


def refusal_of(device: RawDevice) -> str:
    return device.denied or device.document_closed or device.close_reason


async def poison(directory: Path) -> list[str]:
    """A session of each kind, in the log and as a base; their names."""
    backplane = EmbeddedBackplane(directory)
    await backplane.open()
    names = []
    for number, update in enumerate(POISON.values()):
        for as_base in (False, True):
            name = f"poison-{number}-{'base' if as_base else 'log'}"
            await plant(backplane, name, update, as_base=as_base)
            names.append(name)
    await backplane.close()
    return names


@pytest.mark.asyncio
async def test_poison_in_the_embedded_store(
    tmp_path: Path, full: bool, figures: Callable[[str], None]
) -> None:
    others = other_sessions(full)
    names = await poison(tmp_path / "data")
    waited = []
    async with server_process(tmp_path / "data") as server:
        for _ in range(2 if full else 1):
            async with joined(others, server.url):
                waited += [await seconds_until_set_aside(server.url, name) for name in names]
                await write(others, f"after {len(waited)}")
            await server.kill()
            await server.start()
        async with joined(others, server.url):
            for device in others:
                assert f"/after {len(waited)}" in device.state
    figures(
        f"{len(names)} poisoned sessions in the embedded store: set aside after {max(waited):.2f} s "
        f"at most; of {len(others)} other sessions none saw an error; restarts came up"
    )


@pytest.mark.redis
@pytest.mark.asyncio
async def test_poison_in_redis_under_open_sessions(full: bool, figures: Callable[[str], None]) -> None:
    """Nodes have the sessions open when their logs are poisoned, so it reaches them as a turn of a node."""
    waited = []
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(redis_server())
        nodes = [ThreadlineProcess("serve", "--port", "0", "--redis", redis.url) for _ in range(2)]
        for process in nodes:
            await process.start()
            stack.push_async_callback(process.kill)
        others = other_sessions(full)
        victims = [RawDevice(f"victim-{number}", "eve") for number in range(len(POISON))]
        backplane = RedisBackplane(redis.url, node=NodeId("elsewhere"))
        await backplane.open()
        stack.push_async_callback(backplane.close)
        async with joined(others[::2], nodes[0].url), joined(others[1::2], nodes[1].url):
            for number, (device, update) in enumerate(zip(victims, POISON.values(), strict=True)):
                await device.join(nodes[number % 2].url)
                await device.set("/honest", True)
                await device.until_saved()
                await plant(backplane, device.session, update)
                await until_refused(device)
                await device.leave()
                waited += [await seconds_until_set_aside(node.url, device.session) for node in nodes]
            await write(others, "after")
        assert all(process.alive for process in nodes)
        if full:
            await nodes[0].kill()
            await nodes[0].start()
            async with joined(others, nodes[0].url):
                assert all("/after" in device.state for device in others)
    figures(
        f"{len(victims)} open sessions poisoned in Redis: set aside by both nodes after {max(waited):.2f} s "
        f"at most; of {len(others)} other sessions none saw an error"
    )

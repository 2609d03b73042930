"""A store that takes nothing, whatever the reason: nothing is acknowledged, the state is told, it heals.

The disk that fails is a library between the process and the system (`failing_disk.c`).
"""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from tests.contract.redis_servers import RedisServer, free_port, redis_server
from tests.faults.failing_disk import FailingDisk
from tests.raw_device import RawDevice, raw_device
from tests.server_process import ThreadlineProcess

from threadline_server.app import running_server
from threadline_server.settings import load

FAULTS = 2
FULL_FAULTS = 20
PATIENCE_S = 20.0
NOTICED_S = 2.0
RECOVERED_S = 5.0

Fault = tuple[str, Callable[[], None], Callable[[], None]]
"""Its name, what begins it, and what ends it."""


@dataclass(slots=True)
class Times:
    """How long it took each time until `/readyz` called the store away, and until all was well again."""

    noticed_s: list[float] = field(default_factory=list)
    recovered_s: list[float] = field(default_factory=list)

    def line(self, name: str) -> str:
        return (
            f"  {name:<40}{len(self.noticed_s):>4} times, acknowledged meanwhile 0, "
            f"told within {max(self.noticed_s):.2f} s, well within {max(self.recovered_s):.2f} s"
        )


async def inject(device: RawDevice, url: str, fault: Fault, times: int, bounds: tuple[float, float]) -> Times:
    """The fault again and again, while one device writes; it stays connected all the time."""
    _, begin, end = fault
    taken = Times()
    async with httpx.AsyncClient(base_url=url) as client:
        for number in range(times):
            await device.set(f"/before/{number}", "x" * 1_000)
            await device.until_saved()
            saved = device.acknowledged
            begin()
            try:
                await device.set(f"/meanwhile/{number}", "x" * 1_000)
                taken.noticed_s.append(await _until_store(client, False, bounds[0]))
                await device.until_answered()
                assert device.acknowledged == saved
            finally:
                end()
            began = time.monotonic()
            async with asyncio.timeout(bounds[1]):
                await device.until_saved()
                await _until_store(client, True, bounds[1])
            taken.recovered_s.append(time.monotonic() - began)
            assert device.close_code is None
    return taken


async def _until_store(client: httpx.AsyncClient, well: bool, bound_s: float) -> float:
    """How long it took until `/readyz` called the store well or not."""
    began = time.monotonic()
    async with asyncio.timeout(bound_s):
        while (await client.get("/readyz")).json()["checks"]["store"] is not well:
            pass
    return time.monotonic() - began


async def inject_all(
    url: str, faults: list[Fault], full: bool, figures: Callable[[str], None], where: str
) -> None:
    bounds = (NOTICED_S, RECOVERED_S) if full else (PATIENCE_S, PATIENCE_S)
    lines = [f"{where}, each fault injected under a device that writes:"]
    async with raw_device(url, "trip", "ada") as ada:
        for fault in faults:
            taken = await inject(ada, url, fault, FULL_FAULTS if full else FAULTS, bounds)
            lines.append(taken.line(fault[0]))
        written = dict(ada.state)
    async with raw_device(url, "trip", "bob") as bob:
        assert bob.state == written
    figures("\n".join(lines))


def write_faults(disk: FailingDisk) -> list[Fault]:
    return [
        ("disk full (ENOSPC)", lambda: disk.fail(writes=errno.ENOSPC), disk.heal),
        ("write fails (EIO)", lambda: disk.fail(writes=errno.EIO), disk.heal),
    ]


def sync_fault(disk: FailingDisk) -> Fault:
    return "sync fails (EIO)", lambda: disk.fail(syncs=errno.EIO), disk.heal


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FailingDisk]:
    disk = FailingDisk(tmp_path)
    yield disk
    disk.heal()
    disk.close()


@pytest.mark.asyncio
async def test_the_embedded_store_on_a_failing_disk(
    disk: FailingDisk, full: bool, figures: Callable[[str], None]
) -> None:
    serve = ("serve", "--port", "0", "--data", str(disk.files))
    process = ThreadlineProcess(*serve, environment=disk.environment)
    await process.start()
    try:
        await inject_all(
            process.url, [*write_faults(disk), sync_fault(disk)], full, figures, "Embedded store"
        )
        assert disk.failed > 0
        assert await process.stop() == 0
    finally:
        if process.alive:
            await process.kill()


@asynccontextmanager
async def node_url(redis: RedisServer) -> AsyncIterator[str]:
    async with running_server(load({"port": 0, "redis": redis.url}, {})) as server:
        yield server.url


def configured(redis: RedisServer, name: str, option: str, ill: str, well: str) -> Fault:
    def to(value: str) -> None:
        with redis.client as client:
            client.config_set(option, value)

    return name, lambda: to(ill), lambda: to(well)


def made_a_replica(redis: RedisServer) -> Fault:
    """Of a primary that does not answer, so it keeps what it has and takes nothing."""

    def replicate(*arguments: str | int) -> None:
        with redis.client as client:
            client.execute_command("REPLICAOF", *arguments)

    nobody = free_port()
    return (
        "Redis is a replica (READONLY)",
        lambda: replicate("127.0.0.1", nobody),
        lambda: replicate("NO", "ONE"),
    )


@pytest.mark.redis
@pytest.mark.asyncio
async def test_a_redis_that_takes_nothing(full: bool, figures: Callable[[str], None]) -> None:
    with redis_server() as redis:
        faults = [
            configured(redis, "Redis memory full (OOM)", "maxmemory", "1mb", "0"),
            configured(redis, "Redis lacks replicas (NOREPLICAS)", "min-replicas-to-write", "1", "0"),
            made_a_replica(redis),
        ]
        async with node_url(redis) as url:
            await inject_all(url, faults, full, figures, "Redis")


@contextmanager
def redis_on(disk: FailingDisk) -> Iterator[RedisServer]:
    with ExitStack() as stack:
        server = RedisServer(disk.files)
        stack.callback(server.kill)
        yield server.start(disk.whole_environment)


@pytest.mark.redis
@pytest.mark.asyncio
async def test_a_redis_on_a_failing_disk(
    disk: FailingDisk, full: bool, figures: Callable[[str], None]
) -> None:
    with redis_on(disk) as redis:
        async with node_url(redis) as url:
            # under `everysec` an acknowledgement promises no sync, so one that fails proves nothing
            await inject_all(url, write_faults(disk), full, figures, "Redis, its append-only file")
            assert disk.failed > 0

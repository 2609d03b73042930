"""Thousands of devices on one process: held while idle, and coming back all at once after a restart."""

from __future__ import annotations

import asyncio
import os
import resource
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
from tests.server_process import ServerProcess
from tests.soak.idle_devices import Crowd, stay
from tests.soak.measures import descriptors, plot, rss_of

from threadline.backoff import Backoff

SHORT_IDLE, FULL_IDLE = 100, 10_000
SHORT_STORM, FULL_STORM = 100, 5_000
SHORT_WAIT_S = 1.0
MOST_TRIES_SINCE = 3
"""Of a device, once the server is there."""

DEVICES_PER_SESSION = 10
HELD_S = 45.0
PATIENCE_S = 300.0
MOST_BYTES_EACH = 24 << 10
FILES_BESIDE = 500


def enough_files(count: int) -> bool:
    """Let this process, and those it starts, have so many open files; whether that may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + FILES_BESIDE
    if soft < wanted and (hard == resource.RLIM_INFINITY or hard >= wanted):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return soft >= wanted


@asynccontextmanager
async def crowd_at(
    server: Callable[[], ServerProcess], count: int, most_s: float = 20.0
) -> AsyncIterator[Crowd]:
    """So many devices, some to a session, up; they come and stay by themselves."""
    crowd = Crowd()
    tasks = []
    for number in range(count):
        path = f"/sync/crowd-{number // DEVICES_PER_SESSION}?token=user-{number}"
        tasks.append(asyncio.create_task(stay(crowd, lambda: server().url, path, most_s)))
        if number % 50 == 49:
            await asyncio.sleep(0.02)  # a machine that starts thousands of clients is the bottleneck
    try:
        await crowd.until_up(count, PATIENCE_S)
        yield crowd
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def a_server(data: Path, port: int = 0) -> ServerProcess:
    return ServerProcess(data, "--port", str(port), "--max-connections", "12000", "--log-level", "error")


@pytest.mark.asyncio
async def test_idle_devices_are_held(full: bool, tmp_path: Path, figures: Callable[[str], None]) -> None:
    count = FULL_IDLE if full else SHORT_IDLE
    if not enough_files(count):
        pytest.skip(f"this machine allows too few open files (ulimit -n) for {count} devices")
    server = a_server(tmp_path / "data")
    await server.start()
    try:
        before = rss_of(server.pid)
        async with crowd_at(lambda: server, count) as crowd:
            each = (rss_of(server.pid) - before) / count
            ticks = cpu_ticks(server.pid)
            held_s = HELD_S if full else 1.0
            async with asyncio.timeout(held_s + PATIENCE_S):
                await asyncio.sleep(held_s)
            idle = (cpu_ticks(server.pid) - ticks) / os.sysconf("SC_CLK_TCK") / held_s
            assert crowd.up == count
            sockets, _ = descriptors(server.pid)
            assert sockets >= count
    finally:
        await server.stop()
    figures(
        f"{count} idle devices in {count // DEVICES_PER_SESSION} sessions on one process: "
        f"{each / 1024:.1f} KiB each, {idle:.1%} of a processor, none cut off in {held_s:.0f} s"
    )
    if full:
        assert each <= MOST_BYTES_EACH


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def most_tries(away_s: float, most_s: float) -> float:
    """Of a device in all that waits for `most_s` at most; more where the server was away for long."""
    return max(12.0, 4 + 3 * away_s / most_s)


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_a_storm_of_devices_after_a_restart_settles(
    how: str, full: bool, tmp_path: Path, figures: Callable[[str], None]
) -> None:
    count, most_s = (FULL_STORM, Backoff().most_s) if full else (SHORT_STORM, SHORT_WAIT_S)
    if not enough_files(count):
        pytest.skip(f"this machine allows too few open files (ulimit -n) for {count} devices")
    server = a_server(tmp_path / "data")
    await server.start()
    try:
        async with crowd_at(lambda: server, count, most_s) as crowd:
            port = int(server.url.rpartition(":")[2])
            crowd.attempts = crowd.failures = crowd.most_waiting = 0
            crowd.opened_at.clear()
            left = time.monotonic()
            await (server.stop() if how == "stopped" else server.kill())
            server = a_server(tmp_path / "data", port)
            began = time.monotonic()
            await server.start()
            while_away, away_s = crowd.attempts, time.monotonic() - left
            over = threading.Event()
            slowest = asyncio.create_task(asyncio.to_thread(slowest_answer, server.url, over))
            await crowd.until_up(count, PATIENCE_S)
            took_s = time.monotonic() - began
            over.set()
            longest_s = await slowest
            first, last = min(crowd.opened_at), max(crowd.opened_at)
            per_second = [float(crowd.opened_at[second]) for second in range(first, last + 1)]
            since = crowd.attempts - while_away
            assert crowd.up == count
    finally:
        await server.stop()
    figures(
        f"{count} devices of a server that was {how}: all back {took_s:.1f} s after its start, at most "
        f"{max(per_second):.0f} in a second and {crowd.most_waiting} in a handshake at once, "
        f"{while_away / count:.1f} tries each before and "
        f"{since / count:.1f} since; /livez answered within {longest_s:.2f} s throughout\n"
        f"{plot('back', per_second, ' a second')}"
    )
    assert since <= MOST_TRIES_SINCE * count
    assert crowd.attempts <= most_tries(away_s, most_s) * count


def slowest_answer(url: str, over: threading.Event) -> float:
    """Ask `/livez` until `over`, in a thread, since the loop of the devices is busy. The longest answer, in
    seconds.
    """
    longest = 0.0
    while not over.wait(0.1):
        asked = time.monotonic()
        with urlopen(f"{url}/livez", timeout=60):
            longest = max(longest, time.monotonic() - asked)
    return longest

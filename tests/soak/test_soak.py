"""An hour of a node, compressed: sessions come, are used, and expire, and nothing grows.

Clocks of expiry run faster, by settings; the traffic is real: devices on sockets, an agent that answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import mean

import pytest
from tests.raw_device import RawDevice
from tests.soak.measures import Sample, course, sample, settled_sample

from threadline.document.intents import RunIntent
from threadline.document.lifecycle import RunStatus
from threadline.document.session_document import SessionDocument
from threadline.ids import new_entry_id
from threadline_server.app import RunningServer, running_server
from threadline_server.settings import load

AGENT = ("threadline.agents.travel:agent",)
FAST = {"grace_s": 0.2, "sweep_every_s": 0.1, "expire_after_s": 3.0, "upkeep_every_s": 0.25, "linger_s": 0.2}
SHORT_S, FULL_S = 3.0, 180.0
SHORT_SESSIONS, FULL_SESSIONS = 30, 1_000
AT_ONCE = 5
SPARE_BYTES = 12 << 20
PATIENCE_S = 60.0


@asynccontextmanager
async def node(data: Path, **flags: object) -> AsyncIterator[RunningServer]:
    settings = load({"port": 0, "data": data, "log_level": "error", "max_connections": 20_000, **flags}, {})
    async with running_server(settings) as server:
        yield server


async def use(url: str, session: str, *, ask: bool) -> None:
    """Two devices come, talk, hear an agent's answer, and leave."""
    ada, ben = RawDevice(session, "ada"), RawDevice(session, "ben")
    for device in (ada, ben):
        await device.join(url)
        await device.until_synced()
    message = await ada.say("Three days in Berlin, please")
    await ben.set("/trip/city", "Berlin")
    for device in (ada, ben):
        await device.until_saved()
    if ask:
        view, run = SessionDocument(ada.doc), str(new_entry_id("ada"))
        view.intents.add(RunIntent(id=run, message=message))
        await ada.flush()
        await ada.until(lambda: view.runs.status(run) is RunStatus.COMPLETED, "the agent answered")
    for device in (ada, ben):
        await device.leave()
        device.forget()


async def until_empty(server: RunningServer) -> None:
    """No room is open any more."""
    async with asyncio.timeout(PATIENCE_S):
        while len(server.node.rooms):  # noqa: ASYNC110  (rooms close by a sweep, and tell nobody)
            await asyncio.sleep(0.02)


async def come_and_go(server: RunningServer, names: Sequence[str], *, ask: bool = False) -> None:
    """So many at once, until all were there."""
    waiting = iter(names)

    async def one() -> None:
        for name in waiting:
            await use(server.url, name, ask=ask)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(one())


async def watch(data: Path, samples: list[Sample], every_s: float) -> None:
    while True:
        samples.append(sample(data))
        await asyncio.sleep(every_s)


@pytest.mark.asyncio
async def test_an_hour_compressed(full: bool, tmp_path: Path, figures: Callable[[str], None]) -> None:
    lasts_s = FULL_S if full else SHORT_S
    samples: list[Sample] = []
    data = tmp_path / "data"
    used = 0
    async with node(data, agent=AGENT, **FAST) as server:
        watching = asyncio.create_task(watch(data, samples, lasts_s / 60))
        ends = time.monotonic() + lasts_s
        while time.monotonic() < ends:
            await come_and_go(server, [f"soak-{used + number}" for number in range(10)], ask=True)
            used += 10
        watching.cancel()
    figures(
        f"{used} sessions used by two devices and an agent, and expired, in {lasts_s:.0f} s:\n"
        f"{course(samples)}"
    )
    if full:
        assert_flat(samples)


def assert_flat(samples: Sequence[Sample]) -> None:
    """The last quarter against the second: the first is warming up."""
    quarter = len(samples) // 4
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    assert mean(s.rss for s in late) <= 1.05 * mean(s.rss for s in early) + SPARE_BYTES
    assert mean(s.stored for s in late) <= 1.25 * mean(s.stored for s in early) + (1 << 20)
    for count in ("sockets", "files", "tasks"):
        assert mean(getattr(s, count) for s in late) <= 1.2 * mean(getattr(s, count) for s in early) + 5


@pytest.mark.asyncio
async def test_sessions_leave_nothing_behind(
    full: bool, tmp_path: Path, figures: Callable[[str], None]
) -> None:
    count = FULL_SESSIONS if full else SHORT_SESSIONS
    data = tmp_path / "data"
    async with node(data, **(FAST | {"expire_after_s": 0.0})) as server:
        await come_and_go(server, [f"warm-{number}" for number in range(max(30, count // 5))])
        await until_empty(server)
        before = settled_sample(data)
        await come_and_go(server, [f"session-{number}" for number in range(count)])
        await until_empty(server)
        after = settled_sample(data)
    grown = after.rss - before.rss
    figures(
        f"{count} sessions opened, used by two devices and dropped: memory {before.rss / 2**20:.1f} -> "
        f"{after.rss / 2**20:.1f} MiB, tasks {before.tasks} -> {after.tasks}, sockets {before.sockets} -> "
        f"{after.sockets}, files {before.files} -> {after.files}"
    )
    assert after.tasks <= before.tasks
    assert after.sockets <= before.sockets
    assert after.files <= before.files
    assert grown <= SPARE_BYTES

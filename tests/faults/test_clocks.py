"""Clocks that jump: no lease is lost by it, and the order of messages is what it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.contract.redis_servers import RedisServer, redis_server
from tests.faults.clocks import DAY_S, HOUR_S, SetClock, library
from tests.faults.deployment import ENVIRONMENT, node_process, worker_process
from tests.faults.teller import answer_to
from tests.raw_device import RawDevice, until_equal
from tests.server_process import ThreadlineProcess

from threadline.document.intents import RunIntent
from threadline.document.lifecycle import RunStatus
from threadline.document.session_document import SessionDocument
from threadline.ids import new_entry_id

pytestmark = [
    pytest.mark.redis,
    pytest.mark.skipif(library() is None, reason="libfaketime is not installed (apt install faketime)"),
]

JUMPS = {
    "a day ahead, on one node": ("node", DAY_S),
    "a day behind, on one node": ("node", -DAY_S),
    "an hour behind, on one node": ("node", -HOUR_S),
    "a day ahead, on every worker": ("workers", DAY_S),
    "an hour behind, on every worker": ("workers", -HOUR_S),
    "a day ahead, in Redis": ("redis", DAY_S),
    "a day behind, in Redis": ("redis", -DAY_S),
}


@dataclass
class Town:
    """Two nodes and two workers on one Redis, and the clock of each kind."""

    redis: RedisServer
    clocks: dict[str, SetClock]
    nodes: list[ThreadlineProcess] = field(default_factory=list)

    def set(self, whose: str, ahead_s: int, before_s: int) -> None:
        if whose == "redis":
            self._set_redis(ahead_s - before_s)
        else:
            self.clocks[whose].set(ahead_s)

    def _set_redis(self, ahead_s: int) -> None:
        """The ends of leases are set instead, since Redis does not bear libfaketime: a clock that goes ahead
        leaves them behind.
        """
        with self.redis.client as client:
            for key in client.scan_iter("tl:*"):
                until = client.hget(key, "until") if client.type(key) == b"hash" else None
                if until is not None:
                    client.hset(key, "until", str(int(until) - 1000 * ahead_s))


@asynccontextmanager
async def town(directory: Path) -> AsyncIterator[Town]:
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(redis_server())
        there = Town(redis, {name: SetClock(directory / name) for name in ("node", "workers")})
        set_node = {**ENVIRONMENT, **there.clocks["node"].environment}
        set_workers = {**ENVIRONMENT, **there.clocks["workers"].environment}
        there.nodes = [node_process(redis.url, set_node), node_process(redis.url, ENVIRONMENT)]
        workers = [worker_process(redis.url, set_workers) for _ in range(2)]
        async with asyncio.TaskGroup() as group:
            for process in (*there.nodes, *workers):
                group.create_task(process.start())
                stack.push_async_callback(process.kill)
        yield there


@dataclass
class Talk:
    """Two devices of one session, one at each node, who talk in turn."""

    ada: RawDevice
    ben: RawDevice
    said: list[str] = field(default_factory=list)

    async def exchange(self, rounds: int) -> None:
        """Each says something when it has seen what was said before, so one order alone is right."""
        for _ in range(rounds):
            for device in (self.ada, self.ben):
                self.said.append(await device.say(f"{device.user} {len(self.said)}"))
                await device.until_saved()
                await until_equal(self.ada, self.ben)

    def assert_in_order(self) -> None:
        for device in (self.ada, self.ben):
            shown = [message.id for message in SessionDocument(device.doc).messages if message.run is None]
            assert [message for message in shown if message in self.said] == self.said


async def ask(device: RawDevice, words: str) -> str:
    """Ask for a run; its id once it streams."""
    view = SessionDocument(device.doc)
    message, run = await device.say(words), str(new_entry_id(device.user))
    view.intents.add(RunIntent(id=run, message=message))
    await device.flush()
    await device.until(lambda: len(answer(view, run)) > 20, "the answer began")
    return run


async def until_completed(device: RawDevice, view: SessionDocument, run: str) -> None:
    await device.until(lambda: view.runs.status(run) is RunStatus.COMPLETED, "the answer ended")


def answer(view: SessionDocument, run: str) -> str:
    return "".join(message.text for message in view.messages if message.run == run)


@pytest.mark.asyncio
async def test_clocks_jump(full: bool, tmp_path: Path, figures: Callable[[str], None]) -> None:
    if not full:
        pytest.skip("starts four processes: with --full")
    async with town(tmp_path) as there:
        ada, ben = RawDevice("trip", "ada"), RawDevice("trip", "ben")
        talk = Talk(ada, ben)
        for device, node in zip((ada, ben), there.nodes, strict=True):
            await device.join(node.url)
            await device.until_synced()
        view = SessionDocument(ada.doc)
        for whose, ahead_s in JUMPS.values():
            await talk.exchange(2)
            run = await ask(ada, f"tell me {whose} {ahead_s}")
            there.set(whose, ahead_s, 0)
            await talk.exchange(3)
            await until_completed(ada, view, run)
            assert answer(view, run) == answer_to(f"tell me {whose} {ahead_s}")
            assert view.runs.fields(run).attempt == 1, "its worker kept its lease"
            there.set(whose, 0, ahead_s)
            await talk.exchange(1)
        talk.assert_in_order()
        assert ada.document_closed is None and ben.document_closed is None
        for device in (ada, ben):
            await device.leave()
    figures(
        f"clocks set {2 * len(JUMPS)} times ({'; '.join(JUMPS)}) under runs and talk: "
        f"0 leases lost, {len(talk.said)} messages in order"
    )

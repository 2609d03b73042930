"""Nodes and workers as real processes on one Redis, each behind a way of its own that can be cut."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.contract.redis_servers import RedisServer, redis_server
from tests.redis_proxy import RedisProxy
from tests.server_process import ThreadlineProcess

ROOT = Path(__file__).parents[2]
TELLER = "tests.faults.teller:agent"
LEASE_S = 2.0
ENVIRONMENT = {
    "THREADLINE_LEASE_TTL_S": str(LEASE_S),
    "THREADLINE_SCAN_EVERY_S": "1",
    "THREADLINE_LINGER_S": "0.5",
    "THREADLINE_MAX_ATTEMPTS": "1000",
    "THREADLINE_LOG_LEVEL": "warning",
}

_LISTENING = re.compile(r"listening on (http://\S+)", re.IGNORECASE)
_WORKING = re.compile(r"Working as (\S+)")


class Place:
    """A process and its way to Redis. `faulty` while a fault acts on it."""

    def __init__(self, name: str, way: RedisProxy, process: ThreadlineProcess) -> None:
        self.name = name
        self.way = way
        self.process = process
        self.faulty = False

    @property
    def url(self) -> str:
        return self.process.url


class Deployment:
    """One Redis, some nodes, some workers."""

    def __init__(self, redis: RedisServer, nodes: Sequence[Place], workers: Sequence[Place]) -> None:
        self.redis = redis
        self.nodes = nodes
        self.workers = workers

    @property
    def places(self) -> Sequence[Place]:
        return (*self.nodes, *self.workers)

    def some_url(self, chance: random.Random) -> str:
        """Any node, a dead one too: as a load balancer sends devices until it has noticed."""
        return chance.choice(self.nodes).url

    def sound_url(self, chance: random.Random) -> str:
        """Some node that is not about to stop: as a load balancer sends devices that asks `/readyz`."""
        return chance.choice([place for place in self.nodes if not place.faulty]).url


@asynccontextmanager
async def deployment(
    nodes: int,
    workers: int = 0,
    *,
    chance: random.Random,
    settings: Mapping[str, str] | None = None,
    redis_options: Mapping[str, str] | None = None,
) -> AsyncIterator[Deployment]:
    """Started, until the block ends; then everything is killed."""
    environment = ENVIRONMENT | dict(settings or {})
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(redis_server(**dict(redis_options or {})))
        places: list[Place] = []
        for number in range(nodes + workers):
            way = await stack.enter_async_context(RedisProxy(redis.port, chance).listening())
            name = f"node {number}" if number < nodes else f"worker {number - nodes}"
            make = node_process if number < nodes else worker_process
            places.append(Place(name, way, make(way.url, environment)))
        for place in places:
            stack.push_async_callback(_kill, place)
        async with asyncio.TaskGroup() as group:
            for place in places:
                group.create_task(place.process.start())
        yield Deployment(redis, places[:nodes], places[nodes:])


def node_process(redis_url: str, environment: Mapping[str, str]) -> ThreadlineProcess:
    return ThreadlineProcess(
        *("serve", "--port", "0", "--redis", redis_url),
        ready=_LISTENING,
        cwd=ROOT,
        environment=environment,
    )


def worker_process(redis_url: str, environment: Mapping[str, str]) -> ThreadlineProcess:
    return ThreadlineProcess(
        *("worker", TELLER, "--redis", redis_url), ready=_WORKING, cwd=ROOT, environment=environment
    )


async def _kill(place: Place) -> None:
    if place.process.alive:
        await place.process.kill()

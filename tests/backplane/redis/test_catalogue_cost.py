"""What finding sessions costs Redis does not grow with their number."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from redis import Redis
from tests.backplane.many_sessions import FULL_SESSIONS, QUERIES, nth_session
from tests.backplane.redis.conftest import Nodes
from tests.contract.redis_servers import RedisServer

from threadline_server.backplane.base import SessionQuery
from threadline_server.backplane.redis import RedisBackplane
from threadline_server.backplane.redis.keys import INDEX

SESSIONS = 4_000
AT_ONCE = 500
MOST_RECORDS = 5_500  # looked at for a page
MOST_STEPS = 40_000  # of walking the index, for a page

pytestmark = pytest.mark.redis


async def fill(node: RedisBackplane, count: int) -> None:
    for first in range(0, count, AT_ONCE):
        some = range(first, min(first + AT_ONCE, count))
        await asyncio.gather(*(node._catalogue.create(nth_session(number)) for number in some))


def calls(client: Redis) -> dict[str, int]:
    stats = client.info("commandstats")
    assert isinstance(stats, dict)
    return {name.removeprefix("cmdstat_"): int(each["calls"]) for name, each in stats.items()}


@pytest.mark.asyncio
async def test_a_page_walks_a_small_part_of_the_catalogue(
    nodes: Nodes, redis: RedisServer, full: bool, figures: Callable[[str], None]
) -> None:
    count = FULL_SESSIONS if full else SESSIONS
    node = await nodes.start()
    await fill(node, count)
    lines = [f"A page of the Redis catalogue of {count} sessions:"]
    with redis.client as client:
        for words, query in QUERIES.items():
            before = calls(client)
            began = time.perf_counter()
            page = await node.list_sessions(query)
            taken_ms = (time.perf_counter() - began) * 1000
            made = {name: made - before.get(name, 0) for name, made in calls(client).items()}
            walked = sum(made.get(name, 0) for name in ("zrevrange", "zscore", "zcard"))
            lines.append(
                f"  {words:<28}{len(page.sessions):>4} found{made['evalsha']:>6} scripts"
                f"{walked:>7} steps{made.get('hmget', 0):>6} records{taken_ms:>8.1f} ms"
            )
            assert walked <= MOST_STEPS, words
            assert made.get("hmget", 0) <= MOST_RECORDS, words
            assert made["evalsha"] % len(INDEX) <= 5, words  # the catalogue's own upkeep beside it
    figures("\n".join(lines))


@pytest.mark.asyncio
async def test_pages_give_every_session_of_a_label_once(nodes: Nodes) -> None:
    node = await nodes.start()
    await fill(node, SESSIONS)
    seen: list[str] = []
    query: SessionQuery | None = SessionQuery(label="red", limit=7)
    while query is not None:
        page = await node.list_sessions(query)
        seen += [record.id for record in page.sessions]
        query = replace(query, cursor=page.cursor) if page.cursor else None
    assert seen == [f"s{number}" for number in range(SESSIONS - 100, -1, -100)]

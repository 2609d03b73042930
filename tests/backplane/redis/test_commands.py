"""What a turn costs Redis: one script and one message, however many nodes listen."""

from __future__ import annotations

import pytest
from tests.backplane.redis.conftest import Nodes
from tests.contract.redis_servers import RedisServer
from tests.contract.writing import Reader, a_document, eventually

pytestmark = pytest.mark.redis

TURNS = 200


def calls(redis: RedisServer, command: str) -> int:
    with redis.client as client:
        stats = client.info("commandstats")
    assert isinstance(stats, dict)
    return int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"])


@pytest.mark.asyncio
@pytest.mark.parametrize("count", [1, 2, 4])
async def test_a_turn_is_one_script_and_one_message(nodes: Nodes, redis: RedisServer, count: int) -> None:
    started = [await nodes.start(f"node-{n}") for n in range(count)]
    writer = await a_document(started[0])
    readers = [Reader().follow(node, writer.document) for node in started]
    await writer.write()
    await eventually(lambda: all(reader.positions == [1] for reader in readers))
    commands = ("evalsha", "spublish", "xadd", "xrange", "xread", "publish")
    before = {command: calls(redis, command) for command in commands}
    for _ in range(TURNS):
        await writer.begin(writer.next_turn()).taken()
    await eventually(lambda: all(len(reader.turns) == TURNS + 1 for reader in readers))
    made = {command: calls(redis, command) - before[command] for command in commands}
    touches = made["evalsha"] - TURNS  # the catalogue learns of activity once in a while, not once a turn
    assert 0 <= touches <= 10
    assert (made["spublish"], made["xadd"]) == (TURNS, TURNS)
    assert (made["xread"], made["publish"]) == (0, 0)
    assert made["xrange"] <= TURNS // 20  # a message that is late on a busy machine looks lost

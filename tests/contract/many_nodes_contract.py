"""What nodes of one deployment see of each other."""

from __future__ import annotations

import asyncio

import pytest
from tests.contract.writing import (
    TRIP,
    TRIP_DOCUMENT,
    Deployment,
    Reader,
    Writer,
    a_document,
    eventually,
    eventually_true,
)

from threadline_server.backplane.base import StaleFence


class ManyNodesContract:
    """What nodes of one deployment see of each other; for backplanes that have several."""

    @pytest.mark.asyncio
    async def test_a_follower_gets_what_any_node_appends(self, deployment: Deployment) -> None:
        a, b = await deployment.node("a"), await deployment.node("b")
        at_a = await a_document(a)
        at_b = Writer(b, TRIP_DOCUMENT, client=8)
        await b.load(TRIP_DOCUMENT)
        readers = [Reader().follow(node, TRIP_DOCUMENT) for node in (a, b)]
        for _ in range(20):
            await asyncio.gather(at_a.write("from a"), at_b.write("from b"))
        await eventually(lambda: all(len(reader.turns) == 40 for reader in readers))
        assert readers[0].turns == readers[1].turns
        assert readers[0].positions == list(range(1, 41))

    @pytest.mark.asyncio
    async def test_only_one_node_extends_a_client_id(self, deployment: Deployment) -> None:
        a, b = await deployment.node("a"), await deployment.node("b")
        await a_document(a)
        await b.load(TRIP_DOCUMENT)
        accepted = 0
        for start in range(40):
            pair = [Writer(node, TRIP_DOCUMENT, clock=start) for node in (a, b)]
            outcomes = [writer.begin(writer.turn(f"by {writer.backplane.node}")) for writer in pair]
            ended = [await outcome.end() for outcome in outcomes]
            assert sorted(outcome.events[-1] for outcome in ended) == ["durable", "refused"]
            accepted += 1
        assert (await a.load(TRIP_DOCUMENT)).tail == (await b.load(TRIP_DOCUMENT)).tail
        assert (await a.load(TRIP_DOCUMENT)).position == accepted

    @pytest.mark.asyncio
    async def test_a_payload_reaches_the_other_nodes_only(self, deployment: Deployment) -> None:
        a, b, c = [await deployment.node(name) for name in "abc"]
        await a_document(a)
        heard: dict[str, list[bytes]] = {"a": [], "b": [], "c": []}
        listening = [
            node.listen(TRIP_DOCUMENT, heard[name].append) for name, node in (("a", a), ("b", b), ("c", c))
        ]

        async def all_heard() -> bool:
            a.publish(TRIP_DOCUMENT, b"\x00awareness\xff")
            return bool(heard["b"] and heard["c"])

        await eventually_true(all_heard)
        assert set(heard["b"]) == {b"\x00awareness\xff"}
        assert heard["a"] == []
        for each in listening:
            each.close()

    @pytest.mark.asyncio
    async def test_every_node_learns_of_a_deletion(self, deployment: Deployment) -> None:
        a, b = await deployment.node("a"), await deployment.node("b")
        writer = await a_document(a)
        await writer.write()
        reader = Reader().follow(b, TRIP_DOCUMENT)
        await eventually(lambda: reader.positions == [1])
        await a.delete_session(TRIP)
        await eventually(lambda: reader.deleted == 1)

    @pytest.mark.asyncio
    async def test_a_lease_is_held_against_other_nodes(self, deployment: Deployment) -> None:
        a, b = await deployment.node("a"), await deployment.node("b")
        writer = await a_document(a)
        lease = await a.acquire_lease(TRIP, "worker-1", 50)
        assert lease is not None

        async def b_gets_it() -> bool:
            return await b.acquire_lease(TRIP, "worker-2", 60_000) is not None

        await eventually_true(b_gets_it)
        assert isinstance((await writer.put(writer.turn(), lease.fence)).refusal, StaleFence)
        assert await a.acquire_lease(TRIP, "worker-1", 50) is None

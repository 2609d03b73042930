"""Leases, fences, decisions, hints, blobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.contract.writing import TRIP, Deployment, a_document, eventually_true

from threadline.errors import SessionNotFound
from threadline.ids import SessionId
from threadline_server.backplane.base import BlobNotFound, RunHint, StaleFence


async def next_hint(hints: AsyncIterator[RunHint]) -> RunHint:
    return await anext(hints)


class LeaseContract:
    """Leases, fences, decisions, hints, blobs."""

    @pytest.mark.asyncio
    async def test_one_holder_at_a_time_with_growing_fences(self, deployment: Deployment) -> None:
        node = await deployment.node()
        await a_document(node)
        first = await node.acquire_lease(TRIP, "worker-1", 60_000)
        assert first is not None
        assert await node.acquire_lease(TRIP, "worker-2", 60_000) is None
        renewed = await node.renew_lease(first, 60_000)
        assert renewed is not None
        assert renewed.fence == first.fence
        await node.release_lease(renewed)
        second = await node.acquire_lease(TRIP, "worker-2", 60_000)
        assert second is not None
        assert second.fence.token > first.fence.token
        assert await node.renew_lease(first, 60_000) is None
        await node.release_lease(first)
        assert await node.renew_lease(second, 60_000) is not None

    @pytest.mark.asyncio
    async def test_a_lease_runs_out(self, deployment: Deployment) -> None:
        node = await deployment.node()
        await a_document(node)
        first = await node.acquire_lease(TRIP, "worker-1", 30)
        assert first is not None

        async def another_gets_it() -> bool:
            return await node.acquire_lease(TRIP, "worker-2", 60_000) is not None

        await eventually_true(another_gets_it)
        assert await node.renew_lease(first, 60_000) is None

    @pytest.mark.asyncio
    async def test_an_old_fence_writes_nothing(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        first = await node.acquire_lease(TRIP, "worker-1", 60_000)
        assert first is not None
        assert (await writer.put(writer.next_turn(), first.fence)).position == 1
        await node.release_lease(first)
        second = await node.acquire_lease(TRIP, "worker-2", 60_000)
        assert second is not None
        outcome = await writer.put(writer.turn(), first.fence)
        assert isinstance(outcome.refusal, StaleFence)
        with pytest.raises(StaleFence):
            await node.decide(TRIP, "approval", "yes", first.fence)
        assert await node.decide(TRIP, "approval", "no", second.fence) == "no"
        assert (await writer.put(writer.next_turn(), second.fence)).position == 2

    @pytest.mark.asyncio
    async def test_the_first_decision_is_everyones(self, deployment: Deployment) -> None:
        node = await deployment.node()
        await a_document(node)
        values = await asyncio.gather(*(node.decide(TRIP, "who", f"worker-{n}") for n in range(10)))
        assert len(set(values)) == 1
        assert await node.decide(TRIP, "else", "other") == "other"

    @pytest.mark.asyncio
    async def test_decisions_are_listed(self, deployment: Deployment) -> None:
        node = await deployment.node()
        await a_document(node)
        await a_document(node, "other")
        assert await node.list_decisions(TRIP) == {}
        await node.decide(TRIP, "who", "Zoë")
        await node.decide(TRIP, "when", "now")
        await node.decide(SessionId("other"), "who", "Bob")
        assert await node.list_decisions(TRIP) == {"who": "Zoë", "when": "now"}
        with pytest.raises(SessionNotFound):
            await node.list_decisions(SessionId("never-was"))

    @pytest.mark.asyncio
    async def test_a_hint_reaches_who_waits_for_it(self, deployment: Deployment) -> None:
        node = await deployment.node()
        hints = node.hints()
        waiting = asyncio.ensure_future(next_hint(hints))

        async def arrived() -> bool:
            await node.hint(RunHint(TRIP, "travel"))
            return waiting.done()

        await eventually_true(arrived)
        assert await waiting == RunHint(TRIP, "travel")
        await hints.aclose()  # type: ignore[attr-defined]

    @pytest.mark.asyncio
    async def test_blobs_are_kept_by_session_and_name(self, deployment: Deployment) -> None:
        node = await deployment.node()
        await a_document(node)
        await a_document(node, "other")
        await node.put_blob(TRIP, "../plot 1", b"one" * 100_000)
        await node.put_blob(SessionId("other"), "../plot 1", b"two")
        assert await node.get_blob(TRIP, "../plot 1") == b"one" * 100_000
        await node.put_blob(TRIP, "../plot 1", b"")
        assert await node.get_blob(TRIP, "../plot 1") == b""
        assert await node.get_blob(SessionId("other"), "../plot 1") == b"two"
        with pytest.raises(BlobNotFound):
            await node.get_blob(TRIP, "plot 2")
        with pytest.raises(SessionNotFound):
            await node.put_blob(SessionId("never-was"), "plot", b"x")

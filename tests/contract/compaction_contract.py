"""Bases, what they replace, and documents beside the session's."""

from __future__ import annotations

import asyncio

import pytest
from tests.contract.writing import (
    LINEAGE,
    TRIP,
    TRIP_DOCUMENT,
    Deployment,
    Reader,
    Writer,
    a_document,
    eventually,
)

from threadline.errors import StoreError
from threadline_server.backplane.base import DocumentName, Position, StaleRange, WrongLineage


class CompactionContract:
    """Bases and what they replace."""

    @pytest.mark.asyncio
    async def test_a_base_replaces_the_turns_it_covers(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        for _ in range(6):
            await writer.write()
        base, index = b"b" * 300_000, b"i" * 200_000
        await node.compact(TRIP_DOCUMENT, LINEAGE, base, index, Position(4))
        stored = await node.load(TRIP_DOCUMENT)
        assert (stored.base, stored.index, stored.base_position) == (base, index, 4)
        assert [logged.position for logged in stored.tail] == [5, 6]
        await node.compact(TRIP_DOCUMENT, LINEAGE, b"newer", b"", Position(6))
        stored = await node.load(TRIP_DOCUMENT)
        assert (stored.base, stored.index, stored.position, stored.tail) == (b"newer", b"", 6, ())

    @pytest.mark.asyncio
    async def test_clocks_outlive_the_turns_that_set_them(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        await writer.write(length=10)
        await node.compact(TRIP_DOCUMENT, LINEAGE, b"base", b"index", Position(1))
        other = await deployment.node("b") if deployment.many_nodes else node
        await other.load(TRIP_DOCUMENT)
        stranger = Writer(other, TRIP_DOCUMENT)
        assert isinstance((await stranger.put(stranger.turn(start=0))).refusal, StaleRange)
        assert (await stranger.put(stranger.turn(start=10))).position == 2

    @pytest.mark.asyncio
    async def test_an_older_base_changes_nothing(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        for _ in range(4):
            await writer.write()
        await node.compact(TRIP_DOCUMENT, LINEAGE, b"newer", b"", Position(3))
        await node.compact(TRIP_DOCUMENT, LINEAGE, b"older", b"", Position(2))
        stored = await node.load(TRIP_DOCUMENT)
        assert (stored.base, stored.base_position, stored.position) == (b"newer", 3, 4)

    @pytest.mark.asyncio
    async def test_a_base_must_fit_the_log(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        await writer.write()
        with pytest.raises(WrongLineage):
            await node.compact(TRIP_DOCUMENT, "lineage-0", b"base", b"", Position(1))
        with pytest.raises(StoreError):
            await node.compact(TRIP_DOCUMENT, LINEAGE, b"base", b"", Position(2))
        assert (await node.load(TRIP_DOCUMENT)).base is None

    @pytest.mark.asyncio
    async def test_two_compactions_at_once_leave_the_newer_base(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        for _ in range(20):
            await writer.write()
        async with asyncio.TaskGroup() as tasks:
            for through in (5, 20, 10, 20):
                base = bytes([through]) * 300_000
                tasks.create_task(node.compact(TRIP_DOCUMENT, LINEAGE, base, b"index", Position(through)))
        stored = await node.load(TRIP_DOCUMENT)
        assert (stored.base, stored.index) == (bytes([20]) * 300_000, b"index")
        assert stored.base_position == 20
        assert stored.tail == ()

    @pytest.mark.asyncio
    async def test_appends_go_on_during_a_compaction(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        for _ in range(100):
            await writer.write()
        reader = Reader().follow(node, TRIP_DOCUMENT, after=100)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(
                node.compact(TRIP_DOCUMENT, LINEAGE, b"b" * 2_000_000, b"i" * 500_000, Position(100))
            )
            for _ in range(100):
                await writer.write()
        stored = await node.load(TRIP_DOCUMENT)
        assert [logged.position for logged in stored.tail] == list(range(101, 201))
        await eventually(lambda: reader.positions == list(range(101, 201)))

    @pytest.mark.asyncio
    async def test_companions_are_documents_of_their_own(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        await writer.write()
        companion = Writer(node, DocumentName("trip~ada"))
        await node.load(companion.document)
        assert await companion.write() == 1
        assert await node.list_documents(TRIP) == ("trip", "trip~ada")

"""Sessions that are deleted."""

from __future__ import annotations

import pytest
from tests.contract.writing import (
    LINEAGE,
    TRIP,
    TRIP_DOCUMENT,
    Deployment,
    Reader,
    a_document,
    a_session,
    eventually,
)

from threadline.errors import SessionDeleted
from threadline.ids import SessionId
from threadline_server.backplane.base import BlobNotFound, DocumentName, Position, SessionQuery, WrongLineage


class DeletionContract:
    """Nothing of a deleted session is left but its tombstone."""

    @pytest.mark.asyncio
    async def test_a_deleted_session_is_gone_and_its_id_stays_taken(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        await writer.write()
        await node.put_blob(TRIP, "plot", b"picture")
        reader, companion_reader = Reader(), Reader()
        reader.follow(node, TRIP_DOCUMENT)
        companion_reader.follow(node, DocumentName("trip~ada"))
        await eventually(lambda: reader.positions == [1])
        await node.delete_session(TRIP)
        await eventually(lambda: reader.deleted == companion_reader.deleted == 1)
        for attempt in (node.load(TRIP_DOCUMENT), node.get_session(TRIP), node.create_session(a_session())):
            with pytest.raises(SessionDeleted):
                await attempt
        with pytest.raises((BlobNotFound, SessionDeleted)):
            await node.get_blob(TRIP, "plot")
        assert isinstance((await writer.put(writer.turn())).refusal, WrongLineage)
        assert (await node.list_sessions(SessionQuery())).sessions == ()
        assert await node.list_documents(TRIP) == ()

    @pytest.mark.asyncio
    async def test_deleted_sessions_are_found_with_their_lineages(self, deployment: Deployment) -> None:
        node = await deployment.node()
        for name in ("a", "b", "c"):
            await node.create_session(a_session(name, lineage=f"lineage-{name}"))
        assert [buried async for buried in node.tombstones()] == []
        for name in ("a", "c"):
            await node.delete_session(SessionId(name))
        buried = sorted([tombstone async for tombstone in node.tombstones()])
        assert buried == [("a", "lineage-a"), ("c", "lineage-c")]

    @pytest.mark.asyncio
    async def test_deleting_twice_or_nothing_is_no_error(self, deployment: Deployment) -> None:
        node = await deployment.node()
        await a_document(node)
        await node.delete_session(TRIP)
        await node.delete_session(TRIP)
        await node.delete_session(SessionId("never-was"))

    @pytest.mark.asyncio
    async def test_every_turn_and_base_of_a_long_session_goes(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        for _ in range(1_200):
            outcome = writer.begin(writer.next_turn())
        await outcome.end()
        await node.compact(TRIP_DOCUMENT, LINEAGE, b"b" * 3_000_000, b"", Position(20))
        await node.delete_session(TRIP)
        assert await node.read(TRIP_DOCUMENT, Position(0)) == ()

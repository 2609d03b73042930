"""Idle sessions leave Redis for an object store, and come back as they were."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.backplane.redis.conftest import Nodes
from tests.backplane.s3_server import Bucket
from tests.contract.writing import Reader, Writer, a_document, eventually

from threadline.errors import SessionDeleted, StoreError
from threadline.ids import SessionId
from threadline_server.backplane.base import DocumentName, SessionQuery, StaleRange
from threadline_server.backplane.objects import DirectoryObjects, open_objects
from threadline_server.backplane.redis import RedisBackplane

pytestmark = pytest.mark.redis

LATER_MS = 1_900_000_000_000


async def a_node(nodes: Nodes, directory: Path, name: str = "a") -> RedisBackplane:
    return await nodes.start(name, objects=DirectoryObjects(directory))


async def cool_all(node: RedisBackplane) -> int:
    cooled = 0
    while True:
        went = await node.cool_idle(LATER_MS, 50)
        cooled += went
        if not went:
            return cooled


def files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


@pytest.mark.asyncio
async def test_a_session_comes_back_as_it_was(nodes: Nodes, tmp_path: Path) -> None:
    node = await a_node(nodes, tmp_path)
    writer = await a_document(node)
    for n in range(8):
        await writer.write(f"turn {n}", length=n + 1)
    await node.compact(writer.document, writer.lineage, b"b" * 5_000, b"index", (await writer_position(node)))
    for n in range(3):
        await writer.write(f"after {n}")
    companion = Writer(node, DocumentName("trip~ada"))
    await companion.write()
    before = await node.load(writer.document)
    assert await node.cool_idle(LATER_MS) == 1
    assert await node.list_documents(SessionId("trip")) == ("trip", "trip~ada")
    assert (await node.load(companion.document)).position == 1
    assert await node.load(writer.document) == before
    assert isinstance((await writer.put(writer.turn(start=3))).refusal, StaleRange)
    assert await writer.write() == 12
    assert (await node.list_sessions(SessionQuery())).sessions[0].id == "trip"


async def writer_position(node: RedisBackplane):  # type: ignore[no-untyped-def]
    return (await node.load(DocumentName("trip"))).position


@pytest.mark.asyncio
async def test_a_turn_brings_a_followed_session_back(nodes: Nodes, tmp_path: Path) -> None:
    a, b = await a_node(nodes, tmp_path, "a"), await a_node(nodes, tmp_path, "b")
    writer = await a_document(a)
    await writer.write()
    readers = [Reader().follow(node, writer.document, after=1) for node in (a, b)]
    assert await cool_all(b) == 1
    assert await writer.write() == 2
    await eventually(lambda: all(reader.positions == [2] for reader in readers))
    assert (await b.load(writer.document)).position == 2
    assert sum(reader.lost for reader in readers) == 0


@pytest.mark.asyncio
async def test_a_session_in_use_stays(nodes: Nodes, tmp_path: Path) -> None:
    node = await a_node(nodes, tmp_path)
    writer = await a_document(node)
    await writer.write()
    assert await node.cool_idle(1_600_000_000_000) == 0
    assert files(tmp_path) == []


@pytest.mark.asyncio
async def test_objects_do_not_pile_up_and_go_with_the_session(nodes: Nodes, tmp_path: Path) -> None:
    node = await a_node(nodes, tmp_path)
    writer = await a_document(node)
    for _ in range(5):
        await writer.write()
        assert await cool_all(node) == 1
        await node.load(writer.document)
    assert len(files(tmp_path)) == 1
    await cool_all(node)
    await node.delete_session(SessionId("trip"))
    assert files(tmp_path) == []
    with pytest.raises(SessionDeleted):
        await node.load(writer.document)


@pytest.mark.asyncio
async def test_sessions_go_to_a_bucket_and_back(nodes: Nodes, bucket: Bucket) -> None:
    node = await nodes.start("a", objects=open_objects("s3://trips/cold"))
    writer = await a_document(node)
    await writer.write()
    await node.put_blob(SessionId("trip"), "plot", b"picture")
    assert await cool_all(node) == 1
    assert len(bucket.objects) == 2
    assert (await node.load(writer.document)).position == 1
    assert await node.get_blob(SessionId("trip"), "plot") == b"picture"
    bucket.refuse = True
    with pytest.raises(StoreError, match="could not write"):
        await node.cool_idle(LATER_MS)
    bucket.refuse = False
    assert await writer.write() == 2
    await node.delete_session(SessionId("trip"))
    assert bucket.objects == {}


@pytest.mark.asyncio
async def test_a_node_without_the_store_says_what_is_missing(nodes: Nodes, tmp_path: Path) -> None:
    node, bare = await a_node(nodes, tmp_path), await nodes.start("b")
    writer = await a_document(node)
    await writer.write()
    await cool_all(node)
    with pytest.raises(StoreError, match="object store"):
        await bare.load(writer.document)
    for path in files(tmp_path):
        path.unlink()
    with pytest.raises(StoreError, match="does not have trip"):
        await node.load(writer.document)


@pytest.mark.asyncio
async def test_traffic_and_moves_lose_nothing(nodes: Nodes, tmp_path: Path) -> None:
    a, b = await a_node(nodes, tmp_path, "a"), await a_node(nodes, tmp_path, "b")
    writers = [await a_document(a, f"trip-{n}") for n in range(10)]

    async def write(writer: Writer) -> None:
        for _ in range(40):
            await writer.write()

    async with asyncio.TaskGroup() as tasks:
        writing = [tasks.create_task(write(writer)) for writer in writers]
        while not all(task.done() for task in writing):
            await b.cool_idle(LATER_MS, 3)
    for writer in writers:
        assert [logged.position for logged in (await b.load(writer.document)).tail] == list(range(1, 41))

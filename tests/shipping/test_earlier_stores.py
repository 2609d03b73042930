"""What every earlier version of the schema wrote is opened, read and written to by this one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.redis_servers import RedisServer, redis_server
from tests.rooms.devices import Device
from tests.rooms.houses import TRIP
from tests.shipping.earlier_store import BLOB, STORES, assert_furnished, assert_read, unpack, write_keys

from threadline.errors import SessionDeleted
from threadline.ids import SessionId
from threadline.offline_file import OfflineFile
from threadline_server.backplane.base import NodeId
from threadline_server.backplane.embedded import EmbeddedBackplane
from threadline_server.backplane.embedded.schema import VERSION
from threadline_server.backplane.redis import RedisBackplane
from threadline_server.upkeep.archive import read_archive
from threadline_server.upkeep.transfer import put


def written(kind: str) -> list[Path]:
    return sorted(STORES.glob(f"{kind}-*.gz"))


def test_every_version_left_a_store() -> None:
    for kind in ("embedded", "redis", "archive", "offline"):
        assert len(written(kind)) == VERSION, "python -m tests.shipping.earlier_store"


@pytest.mark.asyncio
@pytest.mark.parametrize("packed", written("embedded"), ids=lambda path: path.name)
async def test_an_embedded_store(packed: Path, tmp_path: Path) -> None:
    unpack(packed, tmp_path / "data")
    backplane = EmbeddedBackplane(tmp_path / "data")
    await backplane.open()
    with pytest.raises(SessionDeleted):
        await backplane.get_session(SessionId("gone"))
    await backplane.close()
    backplane = EmbeddedBackplane(tmp_path / "data")  # what this version opened once, it opens again
    await backplane.open()
    await assert_furnished(backplane)
    await backplane.close()


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.mark.redis
@pytest.mark.asyncio
@pytest.mark.parametrize("packed", written("redis"), ids=lambda path: path.name)
async def test_a_store_in_redis(packed: Path, redis: RedisServer) -> None:
    with redis.client as client:
        client.flushall()
    write_keys(redis, packed)
    backplane = RedisBackplane(redis.url, node=NodeId("later"))
    await backplane.open()
    with pytest.raises(SessionDeleted):
        await backplane.get_session(SessionId("gone"))
    await assert_furnished(backplane)
    await backplane.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("packed", written("archive"), ids=lambda path: path.name)
async def test_a_session_in_a_file(packed: Path, tmp_path: Path) -> None:
    unpack(packed, tmp_path / "trip.jsonl")
    with (tmp_path / "trip.jsonl").open() as lines:
        archive = read_archive(lines)
    backplane = EmbeddedBackplane(tmp_path / "data")
    await backplane.open()
    assert await put(backplane, archive)
    await backplane.decide(SessionId(TRIP), "intent", "accepted")  # a file has no decisions, values and blobs
    await backplane.swap_value("ticket", "one", None, b"kept")
    await backplane.put_blob(SessionId(TRIP), "picture", BLOB)
    await assert_furnished(backplane)
    await backplane.close()


@pytest.mark.parametrize("packed", written("offline"), ids=lambda path: path.name)
def test_an_offline_store_of_a_device(packed: Path, tmp_path: Path) -> None:
    unpack(packed, tmp_path / "offline.sqlite3")
    offline = OfflineFile(tmp_path / "offline.sqlite3")
    copy = offline.load("trip")
    assert copy is not None
    assert (offline.owner(), copy.lineage, copy.role) == ("ada", "lineage-trip", "editor")
    assert [(own.client, own.written, own.acknowledged) for own in copy.own] == [(11, 9, 7)]
    reader = Device()
    for update in copy.updates:
        reader.doc.apply_update(update)
    assert_read(reader.session)
    assert [aside.code for aside in offline.list_set_aside()] == ["replica_rejected"]
    offline.close()

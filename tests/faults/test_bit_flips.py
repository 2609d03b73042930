"""A bit that changes in what a store keeps is never served as if it had been written."""

from __future__ import annotations

import random
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from redis import Redis
from tests.contract.redis_servers import RedisServer, redis_server
from tests.faults.bit_flips import (
    Case,
    Content,
    flip,
    flip_file,
    flip_often,
    read_sessions,
    read_store,
    write_sessions,
    write_store,
)

from threadline.errors import ThreadlineError
from threadline_server.backplane.base import NodeId
from threadline_server.backplane.embedded.journal import FILE_NAMES
from threadline_server.backplane.embedded.schema import FILE_NAME
from threadline_server.backplane.redis import RedisBackplane
from threadline_server.rooms.registry import Rooms

SHORT, FULL = 25, 1_000
WAL = f"{FILE_NAME}-wal"
JOURNAL = FILE_NAMES[1]  # the first generation, of which the last turns are in no table


@dataclass(frozen=True, slots=True)
class Stored:
    """closed: a store that was closed in order; crashed: what `kill -9` left of it, with WAL and journal."""

    closed: Path
    crashed: Path
    content: Content


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stored(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stored]:
    directory = tmp_path_factory.mktemp("stored")
    await write_store(directory / "closed", directory / "crashed")
    shutil.copytree(directory / "closed", directory / "read")
    yield Stored(directory / "closed", directory / "crashed", await read_store(directory / "read"))


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", [FILE_NAME, WAL, JOURNAL])
async def test_a_file_with_a_bit_changed(
    stored: Stored, name: str, full: bool, tmp_path: Path, figures: Callable[[str], None]
) -> None:
    source = stored.closed if name == FILE_NAME else stored.crashed

    async def one(chance: random.Random) -> Case:
        return await flip_file(source, name, tmp_path / "copy", chance)

    times = FULL if full else SHORT
    outcome = await flip_often(times, stored.content, random.Random(times), one)
    figures(f"{times} bits changed in {name}: {outcome}")
    assert outcome.wrong == []


@pytest.mark.asyncio(loop_scope="module")
async def test_what_a_crash_left_is_whole(stored: Stored, tmp_path: Path) -> None:
    shutil.copytree(stored.crashed, tmp_path / "data")
    assert await read_store(tmp_path / "data") == stored.content


@pytest.mark.asyncio(loop_scope="module")
async def test_a_damaged_wal_is_named_with_the_way_on(stored: Stored, tmp_path: Path) -> None:
    shutil.copytree(stored.crashed, tmp_path / "data")
    wal = tmp_path / "data" / WAL
    data = bytearray(wal.read_bytes())
    data[len(data) // 2] ^= 1
    wal.write_bytes(data)
    for _ in range(2):  # saying so changes nothing
        with pytest.raises(
            ThreadlineError, match=f"delete {tmp_path / 'data' / FILE_NAME}-synced"
        ) as refused:
            await read_store(tmp_path / "data")
        assert refused.value.code == "damaged"
    (tmp_path / "data" / f"{FILE_NAME}-synced").unlink()
    assert (await read_store(tmp_path / "data"))["trip"] == stored.content["trip"]


# Redis


async def _open(url: str) -> RedisBackplane:
    backplane = RedisBackplane(url, node=NodeId("node"))
    await backplane.open()
    return backplane


Key = tuple[bytes, bytes]
"""A key and what it holds, as Redis dumps it."""


def _flip_in_redis(client: Redis, chance: random.Random) -> str:
    """Change one bit of one value: a field of a hash, or a turn of a log."""
    keys: list[bytes] = sorted(client.scan_iter("tl:*"))
    while True:
        key = chance.choice(keys)
        kind = client.type(key)
        how = None
        if kind == b"hash":
            how = _flip_in_hash(client, key, chance)
        elif kind == b"stream":
            how = _flip_in_stream(client, key, chance)
        if how is not None:
            return f"{key!r} {how}"


def _flip_in_hash(client: Redis, key: bytes, chance: random.Random) -> str | None:
    fields: Any = client.hgetall(key)
    field, value = chance.choice(sorted(fields.items()))
    if not value:
        return None
    data = bytearray(value)
    how = f"{field!r}, {flip(data, chance)}"
    client.hset(key, field, bytes(data))
    return how


def _flip_in_stream(client: Redis, key: bytes, chance: random.Random) -> str:
    entries: Any = client.xrange(key)
    at = chance.randrange(len(entries))
    data = bytearray(entries[at][1][b"t"])
    how = f"{entries[at][0]!r}, {flip(data, chance)}"
    client.delete(key)
    for number, (entry, fields) in enumerate(entries):
        client.xadd(key, {"t": bytes(data) if number == at else fields[b"t"]}, id=entry)
    return how


async def flip_redis(server: RedisServer, whole: list[Key], chance: random.Random) -> Case:
    with server.client as client:
        client.flushall()
        for key, dumped in whole:
            client.restore(key, 0, dumped)
        how = _flip_in_redis(client, chance)
    try:
        backplane = await _open(server.url)
    except ThreadlineError as error:
        return Case(how, None, error.code)
    try:
        return Case(how, await read_sessions(backplane))
    finally:
        await backplane.close()


def _dump(server: RedisServer) -> list[Key]:
    with server.client as client:
        return [(key, client.dump(key) or b"") for key in sorted(client.scan_iter("*"))]


@pytest.mark.redis
@pytest.mark.asyncio
async def test_a_value_in_redis_with_a_bit_changed(full: bool, figures: Callable[[str], None]) -> None:
    times = FULL if full else SHORT
    with redis_server() as server:
        backplane = await _open(server.url)
        async with Rooms(backplane) as rooms:
            await write_sessions(rooms, backplane)
        await backplane.close()
        whole = _dump(server)
        backplane = await _open(server.url)
        content = await read_sessions(backplane)
        await backplane.close()

        async def one(chance: random.Random) -> Case:
            return await flip_redis(server, whole, chance)

        outcome = await flip_often(times, content, random.Random(times), one)
    figures(f"{times} bits changed in Redis: {outcome}")
    assert outcome.wrong == []

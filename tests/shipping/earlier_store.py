"""One small store with something of everything, and what whoever opens it must find.

`python -m tests.shipping.earlier_store` writes it as the present version does, into `stores/`, under the
number of its schema. What lies there already was written by the version it names and is never made again.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import tarfile
import tempfile
from base64 import b64decode, b64encode
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any

from redis import Redis
from tests.contract.redis_servers import RedisServer, redis_server
from tests.rooms.devices import Device
from tests.rooms.houses import TRIP, until

from threadline.document.companion import CompanionDocument
from threadline.document.session_document import SessionDocument
from threadline.ids import SessionId
from threadline.offline_file import Batch, OfflineFile, OwnRange, SetAside
from threadline_server.backplane.base import Backplane, DocumentName, NodeId, SessionRecord
from threadline_server.backplane.embedded import EmbeddedBackplane
from threadline_server.backplane.embedded.lock import LOCK_NAME
from threadline_server.backplane.embedded.schema import VERSION
from threadline_server.backplane.redis import RedisBackplane
from threadline_server.rooms.compaction import compact
from threadline_server.rooms.registry import Rooms
from threadline_server.upkeep.archive import write_archive
from threadline_server.upkeep.transfer import take

STORES = Path(__file__).with_name("stores")
COMPANION = DocumentName("trip~ada")
GONE = SessionId("gone")
TEXTS = ["in the base", "auch in der Basis: 😀", "in the tail"]
CITY = "Berlin"
PRIVATE = "only Ada reads this"
BLOB = b"an attachment"


async def furnish(backplane: Backplane) -> None:
    """Write everything into an empty store."""
    await backplane.create_session(
        SessionRecord(
            SessionId(TRIP),
            "lineage-trip",
            "ada",
            1_000,
            1_000,
            title="Journey",
            labels=("blue",),
            members={"ben": "viewer"},
        )
    )
    await backplane.create_session(SessionRecord(GONE, "lineage-gone", "ada", 1_000, 1_000))
    async with Rooms(backplane, now_ms=lambda: 2_000) as rooms:
        await _talk(rooms)
    await backplane.decide(SessionId(TRIP), "intent", "accepted")
    await backplane.swap_value("ticket", "one", None, b"kept")
    await backplane.put_blob(SessionId(TRIP), "picture", BLOB)
    await backplane.delete_session(GONE)


async def _talk(rooms: Rooms) -> None:
    phone, laptop = Device("ada", client_id=11), Device("ben", client_id=22)
    room = await rooms.open(TRIP)
    phone.join(room).say(TEXTS[0])
    laptop.join(room)
    phone.session.state.set("city", CITY)
    phone.flush()
    laptop.say(TEXTS[1])
    await until(lambda: phone.unsaved == laptop.unsaved == 0 and room.log.tail.settled)
    await compact(room)
    phone.say(TEXTS[2])
    own = Device("ada", client_id=33).join(await rooms.open(COMPANION))
    CompanionDocument(own.doc).draft.text = PRIVATE
    own.flush()
    await until(lambda: phone.unsaved == own.unsaved == 0)


async def assert_furnished(backplane: Backplane) -> None:
    """Everything is there, and can be written to. Whoever keeps no blobs elsewhere has the blob."""
    record = await backplane.get_session(SessionId(TRIP))
    assert (record.title, record.labels, record.members) == ("Journey", ("blue",), {"ben": "viewer"})
    async with Rooms(backplane) as rooms:
        reader = Device("ada", client_id=44).join(await rooms.open(TRIP))
        assert_read(reader.session)
        own = Device("ada", client_id=55).join(await rooms.open(COMPANION))
        assert CompanionDocument(own.doc).draft.text == PRIVATE
        reader.say("written later")
        await until(lambda: reader.unsaved == 0)
        await compact(await rooms.open(TRIP))
    async with Rooms(backplane) as rooms:
        again = Device("ben", client_id=66).join(await rooms.open(TRIP))
        assert again.texts == [*TEXTS, "written later"]
    assert await backplane.decide(SessionId(TRIP), "intent", "refused") == "accepted"
    assert await backplane.get_value("ticket", "one") == b"kept"
    assert await backplane.get_blob(SessionId(TRIP), "picture") == BLOB


def assert_read(session: SessionDocument) -> None:
    assert [message.text for message in session.messages] == TEXTS
    assert session.state.get("city") == CITY


# the embedded store


async def make_embedded(directory: Path) -> None:
    backplane = EmbeddedBackplane(directory)
    await backplane.open()
    await furnish(backplane)
    await backplane.close()


def pack_directory(directory: Path) -> bytes:
    """Its files, without what only a running process has."""
    data = BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for path in sorted(directory.rglob("*")):
            if path.is_file() and path.name != LOCK_NAME:
                tar.add(path, path.relative_to(directory))
    return data.getvalue()


def unpack(packed: Path, path: Path) -> None:
    """A file, or the directory of a `.tar.gz`, where it was not before."""
    if packed.name.endswith(".tar.gz"):
        with tarfile.open(packed) as tar:
            if hasattr(tarfile, "data_filter"):  # since 3.11.4
                tar.extraction_filter = tarfile.data_filter
            tar.extractall(path)
    else:
        path.write_bytes(gzip.decompress(packed.read_bytes()))


# Redis, as its keys


async def furnish_redis(url: str) -> None:
    backplane = RedisBackplane(url, node=NodeId("node"))
    await backplane.open()
    await furnish(backplane)
    await backplane.close()


def read_keys(server: RedisServer) -> list[list[str]]:
    """The commands that write every key again, their words as base64."""
    with server.client as client:
        rows = [row for key in sorted(client.scan_iter("*")) for row in _commands(client, key)]
    return [[b64encode(word).decode() for word in row] for row in rows]


def _commands(client: Redis, key: bytes) -> list[list[bytes]]:
    kind = client.type(key)
    found: Any
    if kind == b"hash":
        found = client.hgetall(key)
        return [[b"HSET", key, field, value] for field, value in sorted(found.items())]
    if kind == b"set":
        found = client.smembers(key)
        return [[b"SADD", key, member] for member in sorted(found)]
    if kind == b"zset":
        found = client.zrange(key, 0, -1, withscores=True)
        return [[b"ZADD", key, repr(score).encode(), member] for member, score in found]
    if kind == b"stream":
        found = client.xrange(key)
        return [[b"XADD", key, at, *chain.from_iterable(fields.items())] for at, fields in found]
    found = client.get(key)
    return [[b"SET", key, found]]


def write_keys(server: RedisServer, packed: Path) -> None:
    with server.client as client:
        for row in json.loads(gzip.decompress(packed.read_bytes())):
            client.execute_command(*map(b64decode, row))


# a device's offline store


def make_offline(path: Path, whole: bytes) -> None:
    offline = OfflineFile(path)
    offline.set_owner("ada")
    own = {11: OwnRange(11, 9, 7)}
    offline.write({"trip": Batch(whole=whole, own=own, place=("lineage-trip", "editor"))})
    offline.set_aside(SetAside("old", "lineage-old", "replica_rejected", "why", whole, 5))
    offline.close()


async def _make(directory: Path) -> dict[str, bytes]:
    """What the present version writes, by file name."""
    await make_embedded(directory / "data")
    backplane = EmbeddedBackplane(directory / "data")
    await backplane.open()
    archive = await take(backplane, SessionId(TRIP), lambda _: ["picture"])
    await backplane.close()
    lines = list(write_archive(archive))
    stored = archive.documents[TRIP]
    reader = Device()
    for update in stored.updates():
        reader.doc.apply_update(update)
    make_offline(directory / "offline.sqlite3", reader.doc.get_update())
    with redis_server() as server:
        await furnish_redis(server.url)
        keys = read_keys(server)
    return {
        f"embedded-{VERSION}.tar": pack_directory(directory / "data"),
        f"redis-{VERSION}.json": json.dumps(keys).encode(),
        f"archive-{VERSION}.jsonl": "\n".join(lines).encode(),
        f"offline-{VERSION}.sqlite3": (directory / "offline.sqlite3").read_bytes(),
    }


def main() -> None:
    STORES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        for name, data in asyncio.run(_make(Path(directory))).items():
            path = STORES / f"{name}.gz"
            if path.exists():
                print(f"{path} is kept as it was written")
                continue
            path.write_bytes(gzip.compress(data, mtime=0))
            print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()

"""The power fails at a hundred moments: what was acknowledged is there."""

from __future__ import annotations

import asyncio
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.backplane.power_loss.recording import Operation, Recording, acknowledged, after_power_loss
from tests.contract.redis_servers import RedisServer
from tests.contract.writing import Writer, a_document, eventually

from threadline_server.backplane.base import DocumentName, NodeId
from threadline_server.backplane.embedded import EmbeddedBackplane
from threadline_server.backplane.redis import RedisBackplane

CUTS = 100
CHILD = Path(__file__).parents[1] / "embedded" / "appending_child.py"
ACKNOWLEDGEMENTS = 2_000
SMALL_WAL = "150"  # pages: the WAL is moved into the file again and again


def cut_points(operations: list[Operation], chance: random.Random) -> list[int]:
    return sorted(chance.sample(range(1, len(operations)), CUTS))


async def check_embedded(directory: Path, told: list[str]) -> int:
    """How many turns are there; every one that somebody was told of must be."""
    store = EmbeddedBackplane(directory)
    await store.open()
    highest = {document: int(clock) for document, clock in (line.split() for line in told)}
    turns = 0
    for document, clock in highest.items():
        tail = (await store.load(DocumentName(document))).tail
        assert [logged.turn.entries[0].ranges[0].start for logged in tail] == list(range(len(tail)))
        assert len(tail) > clock, f"{document} lost what was acknowledged"
        turns += len(tail)
    await store.close()
    return turns


@pytest.mark.asyncio
async def test_the_embedded_store_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    environment = recording.environment | {"PAGES_DUE": SMALL_WAL}
    told = recording.files / "acknowledged"
    with told.open("ab") as output:
        command = [sys.executable, str(CHILD), str(recording.files)]
        child = subprocess.Popen(command, stdout=output, env=environment)  # noqa: ASYNC220
    await eventually(lambda: told.read_bytes().count(b"\n") >= ACKNOWLEDGEMENTS)
    child.kill()
    child.wait()
    operations = recording.operations()
    syncs = Counter(operation.path for operation in operations if operation.kind == "E")
    assert syncs["threadline.sqlite3"] >= 3, "the WAL was never moved into the file"
    chance = random.Random(11)
    for number, cut in enumerate(cut_points(operations, chance)):
        image = tmp_path / f"image-{number}"
        after_power_loss(operations[:cut], image, chance)
        await check_embedded(image, acknowledged(operations[:cut]))
        shutil.rmtree(image)


async def write_and_tell(node: RedisBackplane, name: str, recording: Recording, stop: asyncio.Event) -> None:
    writer: Writer = await a_document(node, name)
    while not stop.is_set():
        position = await writer.write(f"{name} {writer.clock} " * 5)
        recording.acknowledge(f"{name} {position}")


@pytest.mark.redis
@pytest.mark.asyncio
async def test_redis_with_appendfsync_always_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    options = {"appendfsync": "always", "auto_aof_rewrite_percentage": "0"}
    server = RedisServer(recording.files, **options)
    server.start(recording.environment)
    before = tmp_path / "before"
    shutil.copytree(recording.files, before)
    node = RedisBackplane(server.url, node=NodeId("a"))
    await node.open()
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for n in range(8):
            tasks.create_task(write_and_tell(node, f"trip-{n}", recording, stop))
        await eventually(lambda: node.stats()["turns_durable_total"] >= ACKNOWLEDGEMENTS / 2)
        stop.set()
    server.kill()
    await node.close()
    operations = recording.operations()
    chance = random.Random(12)
    for number, cut in enumerate(cut_points(operations, chance)):
        image = tmp_path / f"image-{number}"
        after_power_loss(operations[:cut], image, chance, before)
        check_redis(image, acknowledged(operations[:cut]))
        shutil.rmtree(image)


def check_redis(directory: Path, told: list[str]) -> None:
    highest = {name: int(position) for name, position in (line.split() for line in told)}
    server = RedisServer(directory, appendfsync="always")
    server.start()
    try:
        with server.client as client:
            for name, position in highest.items():
                entries = client.xrange(f"tl:{{{name}}}:log:{name}")
                positions = [int(entry_id.partition(b"-")[0]) for entry_id, _ in entries]
                assert positions == list(range(1, len(positions) + 1))
                assert len(positions) >= position, f"{name} lost what was acknowledged"
    finally:
        server.kill()


def test_the_simulated_disk_loses_what_was_not_synced(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    script = (
        "import os, sys; fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT);"
        "os.write(fd, b'kept'); os.fsync(fd); os.write(fd, b'lost'); os.ftruncate(fd, 6)"
    )
    command = [sys.executable, "-c", script, str(recording.files / "file")]
    subprocess.run(command, check=True, env=recording.environment)
    operations = [operation for operation in recording.operations() if operation.path == "file"]
    assert [operation.kind for operation in operations] == ["W", "B", "E", "W", "T"]
    seen = set()
    for seed in range(40):
        image = tmp_path / str(seed)
        after_power_loss(operations, image, random.Random(seed))
        seen.add((image / "file").read_bytes())
    assert b"kept" in seen
    assert b"keptlo" in seen
    assert all(content.startswith(b"kept") for content in seen)

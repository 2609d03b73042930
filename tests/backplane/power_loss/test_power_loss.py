"""The power fails at a hundred moments: what was acknowledged is there."""

from __future__ import annotations

import asyncio
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.backplane.power_loss.recording import Operation, Recording, acknowledged, after_power_loss
from tests.contract.redis_servers import RedisServer
from tests.contract.writing import Writer, a_document, eventually

from threadline_server.backplane.base import DocumentName, NodeId
from threadline_server.backplane.embedded import EmbeddedBackplane
from threadline_server.backplane.redis import RedisBackplane

CUTS = 100
SHORT_CUTS = 10
RECORDED_S = 3.0
WINDOW_S = 2.0  # the last second, two when the disk is busy: as docs/deployment.md has it
CHILD = Path(__file__).parents[1] / "embedded" / "appending_child.py"
ACKNOWLEDGEMENTS = 2_000
SMALL_WAL = "150"  # pages: the WAL is moved into the file again and again


def cut_points(operations: list[Operation], chance: random.Random, cuts: int = CUTS) -> list[int]:
    return sorted(chance.sample(range(1, len(operations)), cuts))


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
async def test_the_embedded_store_keeps_what_it_acknowledged(
    tmp_path: Path, figures: Callable[[str], None]
) -> None:
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
    promises = 0
    for number, cut in enumerate(cut_points(operations, chance)):
        image = tmp_path / f"image-{number}"
        after_power_loss(operations[:cut], image, chance)
        promised = acknowledged(operations[:cut])
        await check_embedded(image, promised)
        promises += len(promised)
        shutil.rmtree(image)
    figures(f"power loss, embedded store: {CUTS} cuts, {promises} promises looked for, 0 broken")


@dataclass
class Recorded:
    """What a Redis did for a while under eight writers, on a disk that is then cut off; `before` has its
    files as they began. Told were lines of (document, position, when).
    """

    operations: list[Operation]
    before: Path
    directory: Path

    def restarted(self, cuts: int, chance: random.Random, *, in_order: bool = False) -> Iterator[Restarted]:
        """Redis on what is left, for each of so many cuts."""
        for number, cut in enumerate(cut_points(self.operations, chance, cuts)):
            image = self.directory / f"image-{number}"
            some = self.operations[:cut]
            after_power_loss(some, image, chance, self.before, in_order=in_order)
            told = [line.split() for line in acknowledged(some)]
            promises = [Promise(name, int(position), float(at_s)) for name, position, at_s in told]
            yield Restarted(promises, positions_in(image, {promise.name for promise in promises}))
            shutil.rmtree(image)


@dataclass(frozen=True, slots=True)
class Promise:
    name: str
    position: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Restarted:
    """promises: made before the cut, in order; last: by document, the last position that is there"""

    promises: list[Promise]
    last: dict[str, int]

    @property
    def broken(self) -> list[Promise]:
        return [promise for promise in self.promises if promise.position > self.last[promise.name]]


async def record_redis(directory: Path, appendfsync: str, goes_on: Callable[[int], bool]) -> Recorded:
    """Until `goes_on`, asked with the number of durable turns, says no."""
    recording = Recording(directory)
    options = {"appendfsync": appendfsync, "auto_aof_rewrite_percentage": "0"}
    server = RedisServer(recording.files, **options)
    server.start(recording.environment)
    before = directory / "before"
    shutil.copytree(recording.files, before)
    node = RedisBackplane(server.url, node=NodeId("a"))
    await node.open()
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for n in range(8):
            tasks.create_task(write_and_tell(node, f"trip-{n}", recording, stop))
        await eventually(lambda: not goes_on(int(node.stats()["turns_durable_total"])))
        stop.set()
    server.kill()
    await node.close()
    return Recorded(recording.operations(), before, directory)


async def write_and_tell(node: RedisBackplane, name: str, recording: Recording, stop: asyncio.Event) -> None:
    writer: Writer = await a_document(node, name)
    while not stop.is_set():
        position = await writer.write(f"{name} {writer.clock} " * 5)
        recording.acknowledge(f"{name} {position} {time.monotonic()}")


def positions_in(directory: Path, names: set[str]) -> dict[str, int]:
    """The last position in each log; none before it is missing."""
    last: dict[str, int] = {}
    server = RedisServer(directory, appendfsync="always")
    server.start()
    try:
        with server.client as client:
            for name in names:
                entries = client.xrange(f"tl:{{{name}}}:log:{name}")
                positions = [int(entry_id.partition(b"-")[0]) for entry_id, _ in entries]
                assert positions == list(range(1, len(positions) + 1))
                last[name] = len(positions)
    finally:
        server.kill()
    return last


@pytest.mark.redis
@pytest.mark.asyncio
async def test_redis_with_appendfsync_always_keeps_what_it_acknowledged(
    tmp_path: Path, figures: Callable[[str], None]
) -> None:
    recorded = await record_redis(tmp_path, "always", lambda durable: durable < ACKNOWLEDGEMENTS / 2)
    promises = 0
    for restarted in recorded.restarted(CUTS, random.Random(12)):
        promises += len(restarted.promises)
        assert restarted.broken == []
    figures(f"power loss, Redis `appendfsync always`: {CUTS} cuts, {promises} promises looked for, 0 broken")


@pytest.mark.redis
@pytest.mark.asyncio
async def test_redis_with_everysec_loses_its_window_at_most(
    tmp_path: Path, full: bool, figures: Callable[[str], None]
) -> None:
    end = time.monotonic() + RECORDED_S
    recorded = await record_redis(tmp_path, "everysec", lambda _: time.monotonic() < end)
    cuts = CUTS if full else SHORT_CUTS
    promises = broken = 0
    longest_s = 0.0
    for restarted in recorded.restarted(cuts, random.Random(13), in_order=True):
        promises += len(restarted.promises)
        broken += len(restarted.broken)
        if restarted.broken:
            longest_s = max(longest_s, restarted.promises[-1].at_s - restarted.broken[0].at_s)
    figures(
        f"power loss, Redis `appendfsync everysec`: {cuts} cuts, {promises} promises looked for, "
        f"{broken} broken, none made more than {longest_s:.2f} s before the cut"
    )
    assert broken > 0, "nothing was lost: the disk was not cut off"
    assert longest_s <= WINDOW_S


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

"""Sessions out of a store, into a file, into another store: devices go on where they were."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pycrdt import Doc, Map
from tests.contract.redis_servers import RedisServer, redis_server
from tests.raw_device import RawDevice, raw_device, until_equal

from threadline_server.app import RunningServer, running_server
from threadline_server.cli.exits import Exit
from threadline_server.cli.main import run
from threadline_server.settings import load

pytestmark = pytest.mark.redis


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@asynccontextmanager
async def node(**where: object) -> AsyncIterator[RunningServer]:
    async with running_server(load({"port": 0, "compact_turns": 20, **where}, {})) as server:
        yield server


def threadline(*arguments: object) -> Exit:
    return run([str(argument) for argument in arguments])


async def converse(server: RunningServer, session: str = "trip") -> RawDevice:
    """Ada writes enough that there is a base with a tail, and leaves; her copy stays."""
    ada = RawDevice(session, "ada")
    await ada.join(server.url)
    await ada.until_synced()
    message = await ada.say("Hello")
    for number in range(50):
        await ada.set(f"/{number}", number)
        await ada.until_saved()
    await ada.type(message, ", Bob")
    await ada.until_saved()
    await ada.leave()
    return ada


async def assert_goes_on(server: RunningServer, ada: RawDevice) -> None:
    """Ada's old copy is at one with the store, she may write on under her client id, and nobody else may."""
    before = ada.digest()
    async with raw_device(server.url, ada.session, "bob") as bob:
        assert bob.digest() == before
        await ada.join(server.url)
        await ada.until_synced()
        assert ada.digest() == before
        await ada.set("/after", "the move")
        await ada.until_saved()
        await until_equal(ada, bob)
        await ada.leave()
    async with raw_device(server.url, ada.session, "eve") as eve:
        forged: Doc[Any] = Doc(client_id=ada.doc.client_id)
        forged.apply_update(ada.doc.get_update())
        before_it = forged.get_state()
        forged.get("state", type=Map)["/mine"] = "all"
        await eve.send_incomplete(forged.get_update(before_it))
        assert "/mine" not in eve.state


def test_a_session_goes_through_a_file_into_another_store(tmp_path: Path) -> None:
    old, new, file = tmp_path / "old", tmp_path / "new", tmp_path / "trip.jsonl"

    async def write() -> RawDevice:
        async with node(data=old) as server:
            return await converse(server)

    async def go_on(ada: RawDevice) -> None:
        async with node(data=new) as server:
            await assert_goes_on(server, ada)

    with asyncio.Runner() as runner:
        ada = runner.run(write())
        assert threadline("session", "export", "trip", file, "--data", old) is Exit.DONE
        assert threadline("session", "import", file, "--data", new) is Exit.DONE
        assert threadline("session", "import", file, "--data", new) is Exit.DONE
        runner.run(go_on(ada))
    assert threadline("session", "import", file, "--data", new) is Exit.FAILED


def test_a_store_moves_into_redis_and_back(tmp_path: Path, redis: RedisServer) -> None:
    old, new = tmp_path / "old", tmp_path / "new"

    async def write() -> list[RawDevice]:
        async with node(data=old) as server:
            return [await converse(server, f"trip-{number}") for number in range(3)]

    async def go_on(devices: list[RawDevice], **where: object) -> None:
        async with node(**where) as server:
            for device in devices:
                await assert_goes_on(server, device)

    with asyncio.Runner() as runner:
        devices = runner.run(write())
        assert threadline("migrate", "--from", old, "--to", redis.url) is Exit.DONE
        assert threadline("migrate", "--from", old, "--to", redis.url) is Exit.DONE
        runner.run(go_on(devices, redis=redis.url))
        assert threadline("migrate", "--from", redis.url, "--to", new) is Exit.DONE
        runner.run(go_on(devices, data=new))


@pytest.mark.parametrize("damage", ["short", "foreign", "version", "update", "document"])
def test_a_damaged_file_stores_nothing(
    tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def write() -> None:
        async with node(data=tmp_path / "old") as server:
            await converse(server)

    with asyncio.Runner() as runner:
        runner.run(write())
    file = tmp_path / "trip.jsonl"
    assert threadline("session", "export", "trip", file, "--data", tmp_path / "old") is Exit.DONE
    file.write_text("".join(f"{line}\n" for line in damaged(file.read_text().splitlines(), damage)))
    capsys.readouterr()
    assert threadline("session", "import", file, "--data", tmp_path / "new") is Exit.FAILED
    assert "Traceback" not in capsys.readouterr().err
    assert (
        threadline("session", "export", "trip", tmp_path / "x", "--data", tmp_path / "new") is not Exit.DONE
    )


def damaged(lines: list[str], how: str) -> list[str]:
    match how:
        case "short":
            return lines[:-1]
        case "foreign":
            return ["{}"]
        case "version":
            return [lines[0].replace('"version":1', '"version":99'), *lines[1:]]
        case "update":
            turn = json.loads(lines[-2])
            turn["entries"][0]["update"] = "AQID"
            return [*lines[:-2], json.dumps(turn), lines[-1]]
        case _:
            return [line.replace('"document":"trip"', '"document":"other"') for line in lines]

"""Sessions out of a store, into a file, into another store: devices go on where they were."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pycrdt import Doc, Map
from tests.contract.redis_servers import RedisServer, redis_server
from tests.raw_device import RawDevice, raw_device, until_equal

from threadline.actors import Role
from threadline.errors import SessionDeleted
from threadline.ids import SessionId, UserId
from threadline_server.app import RunningServer, running_server
from threadline_server.cli.exits import Exit
from threadline_server.cli.main import run
from threadline_server.edge.attachments import Attachments, attached
from threadline_server.edge.authentication import Principal
from threadline_server.edge.invitations import Invitations
from threadline_server.edge.kept_tokens import KeptTokens, TokenKind
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
            attachments = Attachments(server.node.backplane)
            ada = await converse(server)
            await attachments.add(SessionId("trip"), name="plot.png", type="image/png", data=b"picture")
            return ada

    async def go_on(ada: RawDevice) -> None:
        async with node(data=new) as server:
            await assert_goes_on(server, ada)
            (plot,) = attached(await server.node.backplane.list_decisions(SessionId("trip")))
            _, data = await Attachments(server.node.backplane).get(SessionId("trip"), plot)
            assert data == b"picture"

    with asyncio.Runner() as runner:
        ada = runner.run(write())
        assert threadline("session", "export", "trip", file, "--data", old) is Exit.DONE
        assert threadline("session", "import", file, "--data", new) is Exit.DONE
        assert threadline("session", "import", file, "--data", new) is Exit.DONE
        runner.run(go_on(ada))
    assert threadline("session", "import", file, "--data", new) is Exit.FAILED


def test_a_store_moves_into_redis_and_back(tmp_path: Path, redis: RedisServer) -> None:
    old, new = tmp_path / "old", tmp_path / "new"

    async def write() -> tuple[list[RawDevice], str, str]:
        async with node(data=old) as server:
            devices = [await converse(server, f"trip-{number}") for number in range(3)]
            return devices, *await leave_things(server)

    async def go_on(devices: list[RawDevice], uses_left: int, **where: object) -> None:
        async with node(**where) as server:
            await assert_things(server, key, code, uses_left)
            for device in devices:
                await assert_goes_on(server, device)

    with asyncio.Runner() as runner:
        devices, key, code = runner.run(write())
        assert threadline("migrate", "--from", old, "--to", redis.url) is Exit.DONE
        assert threadline("migrate", "--from", old, "--to", redis.url) is Exit.DONE
        runner.run(go_on(devices, 2, redis=redis.url))
        assert threadline("migrate", "--from", redis.url, "--to", new) is Exit.DONE
        runner.run(go_on(devices, 1, data=new))


async def leave_things(server: RunningServer) -> tuple[str, str]:
    """A file, a member, a key, an invitation, a deleted session and its companion; key and code are given."""
    backplane, ada = server.node.backplane, Principal(UserId("ada"), "Ada")
    attachments = Attachments(backplane)
    await attachments.add(SessionId("trip-0"), name="plot.png", type="image/png", data=b"picture")
    await backplane.update_session(SessionId("trip-0"), members={"bob": "editor"})
    async with raw_device(server.url, "gone", "ada"):
        pass
    await backplane.delete_session(SessionId("gone"))
    _, key = await KeptTokens(backplane, time.time).issue(ada, TokenKind.SERVICE, "robot", 3600)
    _, code = await Invitations(backplane, time.time).make(SessionId("trip-1"), Role.VIEWER, "ada", 3600, 2)
    return key, code


async def assert_things(server: RunningServer, key: str, code: str, uses_left: int) -> None:
    backplane = server.node.backplane
    listed = await backplane.list_decisions(SessionId("trip-0"))
    (attachment,) = attached(listed)
    found, data = await Attachments(backplane).get(SessionId("trip-0"), attachment)
    assert (found.name, data) == ("plot.png", b"picture")
    assert (await backplane.get_session(SessionId("trip-0"))).members == {"bob": "editor"}
    with pytest.raises(SessionDeleted):
        await backplane.get_session(SessionId("gone"))
    assert (await KeptTokens(backplane, time.time).authenticate(key)).user == "ada"
    assert 0 < (await backplane.list_lives("kept_token"))[key.split("_")[1]] <= 3_600_000
    invitations = Invitations(backplane, time.time)
    assert [each.uses_left for each in await invitations.of_session(SessionId("trip-1"))] == [uses_left]
    _, role = await invitations.accept(code, Principal(UserId(f"guest-{uses_left}"), "Guest"))
    assert role is Role.VIEWER


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

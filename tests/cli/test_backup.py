"""A backup made while people write, and a store made of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.raw_device import RawDevice, raw_device

from threadline.ids import SessionId
from threadline.update_ranges import read_state_vector
from threadline_server.app import RunningServer, running_server
from threadline_server.cli.exits import Exit
from threadline_server.cli.main import run
from threadline_server.settings import load


@asynccontextmanager
async def node(directory: Path) -> AsyncIterator[RunningServer]:
    async with running_server(load({"port": 0, "data": directory}, {})) as server:
        yield server


async def threadline(*arguments: object) -> Exit:
    return await asyncio.to_thread(run, [str(argument) for argument in arguments])


async def joined(server: RunningServer, user: str, session: str = "trip") -> RawDevice:
    device = RawDevice(session, user)
    await device.join(server.url)
    await device.until_synced()
    return device


@pytest.mark.asyncio
async def test_a_backup_made_under_load_has_all_that_was_acknowledged_before(tmp_path: Path) -> None:
    async with node(tmp_path / "data") as server:
        ada = await joined(server, "ada")
        await server.node.backplane.put_blob(SessionId("trip"), "photo", b"pixels")
        for number in range(20):
            await ada.set(f"/before/{number}", number)
        await ada.until_saved()
        writing = asyncio.create_task(write_on(ada))
        code = await threadline("backup", tmp_path / "copy", "--data", tmp_path / "data")
        writing.cancel()
        assert code is Exit.DONE
        await ada.leave()
    assert json.loads((tmp_path / "copy" / "backup.json").read_text())["sessions"] == 1
    assert await threadline("restore", tmp_path / "copy", "--data", tmp_path / "new") is Exit.DONE
    async with node(tmp_path / "new") as server, raw_device(server.url, "trip", "bob") as bob:
        assert {key for key in bob.state if key.startswith("/before/")} == {
            f"/before/{number}" for number in range(20)
        }
        assert await server.node.backplane.get_blob(SessionId("trip"), "photo") == b"pixels"
    assert await threadline("session", "verify", "--all", "--data", tmp_path / "new") is Exit.DONE


async def write_on(device: RawDevice) -> None:
    number = 0
    while True:
        number += 1
        await device.set("/meanwhile", number)
        await device.until_saved()


@pytest.mark.asyncio
async def test_who_has_more_than_the_backup_is_told_to_join_anew(tmp_path: Path) -> None:
    """And the server never writes twice under clocks that devices have seen."""
    async with node(tmp_path / "data") as server:
        ada = await joined(server, "ada")
        assert ada.hello is not None
        lineage = ada.hello.lineage
        await ada.say("in the backup")
        await ada.until_saved()
        assert await threadline("backup", tmp_path / "copy", "--data", tmp_path / "data") is Exit.DONE
        lost = await ada.say("after it")
        await ada.until_saved()
        await ada.leave()
    assert await threadline("restore", tmp_path / "copy", "--data", tmp_path / "new") is Exit.DONE
    same = tmp_path / "same"
    assert await threadline("restore", tmp_path / "copy", "--data", same, "--same-lineage") is Exit.DONE
    async with node(tmp_path / "new") as server, raw_device(server.url, "trip", "bob") as bob:
        assert bob.hello is not None
        assert bob.hello.lineage != lineage
        assert lost not in bob.messages
    async with node(same) as server:
        assert server.node.backplane.node != "embedded"
        async with raw_device(server.url, "trip", "bob") as bob:
            assert bob.hello is not None
            assert bob.hello.lineage == lineage
            await bob.say("under a client id of its own")
            await bob.until_saved()
            server_clients = {client for client in clocks_of(bob) if client not in clocks_of(ada)}
            assert len(server_clients) == 2  # bob's own, and the server's new one


def clocks_of(device: RawDevice) -> dict[int, int]:
    return read_state_vector(device.doc.get_state())


@pytest.mark.asyncio
async def test_nothing_that_is_there_is_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with node(tmp_path / "data") as server:
        await (await joined(server, "ada")).leave()
    copy = tmp_path / "copy"
    assert await threadline("backup", copy, "--data", tmp_path / "data") is Exit.DONE
    assert await threadline("backup", copy, "--data", tmp_path / "data") is Exit.FAILED
    assert "is there already" in " ".join(capsys.readouterr().err.split())
    assert await threadline("restore", copy, "--data", tmp_path / "data") is Exit.FAILED
    assert await threadline("backup", tmp_path / "x", "--data", tmp_path / "none") is Exit.FAILED
    assert await threadline("restore", tmp_path / "none", "--data", tmp_path / "y") is Exit.FAILED
    assert await threadline("backup", tmp_path / "x", "--redis", "redis://127.0.0.1") is Exit.USAGE
    assert "threadline migrate --from redis://" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "x").exists()
    assert not (tmp_path / "y").exists()

"""`threadline session`: beside a running node, and on a store that nobody uses."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.contract.redis_servers import RedisServer, redis_server
from tests.raw_device import RawDevice, raw_device

from threadline_server.app import RunningServer, running_server
from threadline_server.backplane.embedded.schema import FILE_NAME
from threadline_server.cli import session_verify
from threadline_server.cli.exits import Exit
from threadline_server.cli.main import run
from threadline_server.settings import load


@asynccontextmanager
async def node(**where: object) -> AsyncIterator[RunningServer]:
    async with running_server(load({"port": 0, "compact_turns": 20, **where}, {})) as server:
        yield server


async def threadline(*arguments: object) -> Exit:
    """Beside the node of this loop."""
    return await asyncio.to_thread(run, [str(argument) for argument in arguments])


async def converse(server: RunningServer, session: str = "trip", turns: int = 50) -> RawDevice:
    """Enough that there is a base with a tail."""
    ada = RawDevice(session, "ada")
    await ada.join(server.url)
    await ada.until_synced()
    await ada.say("Hello")
    for number in range(turns):
        await ada.set(f"/{number}", number)
        await ada.until_saved()
    return ada


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


async def look_after(server: RunningServer, store: tuple[str, object]) -> None:
    """Every verb that reads says what is so, beside a node that serves."""
    ada = await converse(server)
    assert await threadline("session", "ls", *store) is Exit.DONE
    assert await threadline("session", "show", "trip", *store) is Exit.DONE
    assert await threadline("session", "tail", "trip", "-n", "3", *store) is Exit.DONE
    assert await threadline("session", "verify", "trip", "--url", server.url, *store) is Exit.DONE
    assert await threadline("session", "verify", "--all", *store) is Exit.DONE
    await ada.leave()


def assert_all_was_told(said: str) -> None:
    assert "trip                     ada" in said
    assert "1 messages, 0 runs" in said
    assert "ada (owner)" in said or "ada (editor)" in said
    assert "ok    trip: position" in said


@pytest.mark.asyncio
async def test_the_store_of_a_running_node_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with node(data=tmp_path / "data") as server:
        await look_after(server, ("--data", tmp_path / "data"))
        code = await threadline("session", "rm", "trip", "--yes", "--data", tmp_path / "data")
        assert code is Exit.COULD_NOT_START
    captured = capsys.readouterr()
    assert_all_was_told(captured.out)
    assert "DELETE /api/v1/sessions/SESSION" in " ".join(captured.err.split())


@pytest.mark.asyncio
@pytest.mark.redis
async def test_sessions_in_redis(redis: RedisServer, capsys: pytest.CaptureFixture[str]) -> None:
    async with node(redis=redis.url) as server:
        store = ("--redis", redis.url)
        await look_after(server, store)
        assert_all_was_told(capsys.readouterr().out)
        assert await threadline("session", "compact", "trip", *store) is Exit.DONE
        assert "turns went into the base" in capsys.readouterr().out
        assert await threadline("session", "verify", "trip", "--url", server.url, *store) is Exit.DONE
        assert await threadline("session", "rm", "trip", "--yes", *store) is Exit.DONE
        assert await threadline("session", "show", "trip", *store) is Exit.FAILED
        assert "Session trip was deleted." in " ".join(capsys.readouterr().err.split())


@pytest.mark.asyncio
async def test_compact_and_rm_on_a_store_that_nobody_uses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ("--data", tmp_path / "data")
    async with node(data=tmp_path / "data", compact_on_unload_turns=1000) as server:
        ada = await converse(server, turns=5)
        before = ada.digest()
        await ada.leave()
    assert await threadline("session", "compact", "trip", *store) is Exit.DONE
    assert "turns went into the base" in capsys.readouterr().out
    assert await threadline("session", "compact", "trip", *store) is Exit.DONE
    assert "nothing to do" in capsys.readouterr().out
    async with node(data=tmp_path / "data") as server, raw_device(server.url, "trip", "bob") as bob:
        assert bob.digest() == before
    assert await threadline("session", "rm", "trip", "none", "--yes", *store) is Exit.FAILED
    assert await threadline("session", "rm", "trip", "--yes", *store) is Exit.DONE
    assert await threadline("session", "ls", *store) is Exit.DONE
    assert "No session is like that." in capsys.readouterr().out


@pytest.mark.asyncio
@pytest.mark.parametrize("damage", ["UPDATE log SET turn = x'00'", "DELETE FROM log WHERE row % 2"])
async def test_verify_finds_what_does_not_agree(
    tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with node(data=tmp_path / "data", compact_on_unload_turns=1000) as server:
        await (await converse(server, "trip", turns=5)).leave()
        await (await converse(server, "rome", turns=5)).leave()
    with sqlite3.connect(tmp_path / "data" / FILE_NAME) as connection:
        where = "WHERE" if "WHERE" not in damage else "AND"
        document = connection.execute("SELECT id FROM documents WHERE name = 'trip'").fetchone()[0]
        connection.execute(f"{damage} {where} row >> 32 = {document}")
    connection.close()
    store = ("--data", tmp_path / "data")
    assert await threadline("session", "verify", "--all", *store) is Exit.FAILED
    captured = capsys.readouterr()
    assert "ok    rome" in captured.out
    assert "FIX   trip" in captured.out
    assert "1 documents are not sound." in " ".join(captured.err.split())


@pytest.mark.asyncio
async def test_verify_finds_a_node_that_gives_out_something_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_verify, "LOOKS", 2)
    async with node(data=tmp_path / "one") as one, node(data=tmp_path / "other") as other:
        await (await converse(one, turns=2)).leave()
        await (await converse(other, turns=3)).leave()
        store = ("--data", tmp_path / "one")
        verify = ("session", "verify", "trip", *store, "--url")
        assert await threadline(*verify, one.url) is Exit.DONE
        assert await threadline(*verify, other.url) is Exit.FAILED
    assert "has other content than the store" in capsys.readouterr().out
    assert await threadline(*verify, "http://127.0.0.1:1") is Exit.FAILED
    assert "does not give out a replica" in capsys.readouterr().out


@pytest.mark.asyncio
async def test_what_cannot_be_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await threadline("session", "ls", "--data", tmp_path) is Exit.COULD_NOT_START
    assert "There is no store in" in " ".join(capsys.readouterr().err.split())
    assert await threadline("session", "verify", "--data", tmp_path) is Exit.USAGE
    assert await threadline("session", "show", "a b", "--data", tmp_path) is Exit.USAGE


@pytest.mark.asyncio
async def test_an_encrypted_store_is_read_with_its_keys_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = tmp_path / "keys"
    assert await threadline("keys", "new") is Exit.DONE
    keys.write_text(capsys.readouterr().out)
    async with node(data=tmp_path / "data", encryption_keys_file=keys) as server:
        await (await converse(server, turns=3)).leave()
        sealed = ("--data", tmp_path / "data", "--encryption-keys-file", keys)
        assert await threadline("session", "show", "trip", *sealed) is Exit.DONE
        assert await threadline("session", "verify", "--all", *sealed) is Exit.DONE
        assert "1 messages" in capsys.readouterr().out
        assert await threadline("session", "ls", "--data", tmp_path / "data") is Exit.COULD_NOT_START
        assert "give its master keys" in " ".join(capsys.readouterr().err.split())
        assert await threadline("backup", tmp_path / "copy", "--data", tmp_path / "data") is Exit.DONE
    assert await threadline("restore", tmp_path / "copy", "--data", tmp_path / "new") is Exit.DONE
    sealed = ("--data", tmp_path / "new", "--encryption-keys-file", keys)
    assert await threadline("session", "verify", "--all", *sealed) is Exit.DONE

"""Nothing that people write lies in the store or in a log in the clear."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx
import pytest
from pycrdt import Map, Text
from tests.app.conftest import api_of, device_of, guarded_node
from tests.contract.redis_servers import RedisServer, redis_server
from tests.raw_device import raw_device
from tests.server_process import clean_environment, server_process
from tests.signing import SECRET, token_of

from threadline.errors import ConfigurationError
from threadline.ids import new_entry_id
from threadline_server.app import running_server
from threadline_server.backplane.master_keys import new_line, parse_master_keys
from threadline_server.settings import load
from threadline_server.startup import CouldNotStart

WORDS = (
    "Zugvogel",
    "Quittenbrot",
    "Nachtfalter",
    "Wolkenbruch",
    "Heidelbeere",
    "Fernweh",
    "Tintenfass",
    "Bernstein",
)
"""A message, a value, a title, a label, a draft, a goal, and the content and the name of a file."""


def key_file(directory: Path, *lines: str) -> Path:
    path = directory / "master.keys"
    path.write_text("\n".join(lines or (new_line(),)))
    return path


def found_in(directory: Path) -> list[str]:
    """The words that stand in any file below `directory`, in any of the ways in which they might."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert files
    data = b"".join(path.read_bytes() for path in files)
    return [word for word in WORDS if word.encode() in data or word.encode("utf-16-le") in data]


async def write_words(url: str) -> None:
    """A message, a value, a draft, an intent to run and a file, into the session `trip`."""
    token = token_of("ada")
    async with raw_device(url, "trip", "ada", token=token) as ada:
        await ada.say(f"I like {WORDS[0]}")
        await ada.set("/food", WORDS[1])
        intent = {"kind": "run", "device": "", "at": 1, "goal": f"To feel {WORDS[5]}"}
        ada.doc.get("intents", type=Map)[new_entry_id("ada")] = intent
        await ada.flush()
        await ada.until_saved()
    async with raw_device(url, "trip~me", "ada", token=token) as drafts:
        drafts.doc.get("draft", type=Text).insert(0, f"with {WORDS[4]}")
        await drafts.flush()
        await drafts.until_saved()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/plain"}
    async with httpx.AsyncClient(base_url=url, headers=headers) as client:
        path, name = "/api/v1/sessions/trip/attachments", {"name": f"{WORDS[7]}.txt"}
        sent = await client.post(path, params=name, content=f"In the {WORDS[6]} of ink".encode())
        assert sent.status_code == 201, sent.text


async def name_session(url: str) -> None:
    headers = {"Authorization": f"Bearer {token_of('ada')}"}
    async with httpx.AsyncClient(base_url=url, headers=headers) as client:
        body = {"id": "trip", "title": f"The {WORDS[2]}", "labels": [WORDS[3]]}
        assert (await client.post("/api/v1/sessions", json=body)).status_code == 201
        found = await client.get("/api/v1/sessions", params={"label": WORDS[3]})
        assert [session["title"] for session in found.json()["sessions"]] == [f"The {WORDS[2]}"]
        found = await client.get("/api/v1/sessions", params={"text": WORDS[2].lower()})
        assert [session["labels"] for session in found.json()["sessions"]] == [[WORDS[3]]]
        found = await client.get("/api/v1/sessions", params={"text": "other"})
        assert found.json() == {"sessions": [], "cursor": None}


def arguments(*others: str) -> tuple[str, ...]:
    return ("--auth", "token", "--auth-secret", SECRET, "--log-level", "debug", *others)


@pytest.mark.asyncio
@pytest.mark.row("S1-27")
async def test_the_embedded_store_and_the_log_hold_no_words(tmp_path: Path) -> None:
    data = tmp_path / "data"
    keys = key_file(tmp_path)
    async with server_process(data, *arguments("--encryption-keys-file", str(keys))) as server:
        await name_session(server.url)
        await write_words(server.url)
        assert await server.stop() == 0
        assert found_in(data) == []
        said = "\n".join(server.output)
        assert [word for word in (*WORDS, SECRET, "eyJ") if word in said] == []
        await server.start()
        async with raw_device(server.url, "trip", "ada", token=token_of("ada")) as ada:
            assert ada.state["/food"] == WORDS[1]


@pytest.mark.asyncio
async def test_without_encryption_the_same_search_finds_them_all(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with server_process(data, *arguments()) as server:
        await name_session(server.url)
        await write_words(server.url)
        await server.stop()
        assert found_in(data) == list(WORDS)


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.mark.redis
@pytest.mark.asyncio
@pytest.mark.row("S1-27")
async def test_a_dump_of_redis_holds_no_words(tmp_path: Path, redis: RedisServer) -> None:
    with redis.client as client:
        client.config_set("rdbcompression", "no")
    async with guarded_node(None, redis=redis.url, encryption_keys=new_line()) as server:
        await name_session(server.url)
        await write_words(server.url)
        with redis.client as client:
            client.save()
        assert found_in(redis.directory) == []


@pytest.mark.redis
@pytest.mark.asyncio
@pytest.mark.parametrize("encrypted", [True, False])
async def test_what_nodes_tell_each_other_holds_no_words(tmp_path: Path, encrypted: bool) -> None:
    """Every command to Redis and every message of it, while two nodes serve one session."""
    keys = {"encryption_keys": new_line()} if encrypted else {}
    with redis_server() as redis:
        heard = tmp_path / "heard"
        with heard.open("wb") as out:
            listening = await anyio.open_process(
                ["redis-cli", "-p", str(redis.port), "monitor"], stdout=out, stderr=out
            )
        try:
            async with (
                guarded_node(None, redis=redis.url, **keys) as one,
                guarded_node(None, redis=redis.url, **keys) as other,
            ):
                await name_session(one.url)
                async with device_of(other, "trip", "ada") as reader:
                    await write_words(one.url)
                    await reader.until(lambda: reader.state.get("/food") == WORDS[1], "it came over")
        finally:
            listening.terminate()
            await listening.aclose()
        assert b"PUBLISH" in heard.read_bytes().upper()
        assert found_in(tmp_path) == ([] if encrypted else list(WORDS))


@pytest.mark.asyncio
async def test_what_was_stored_before_stays_readable(tmp_path: Path) -> None:
    async with guarded_node(tmp_path) as server:
        await name_session(server.url)
        await write_words(server.url)
    async with guarded_node(tmp_path, encryption_keys=new_line()) as server:
        async with device_of(server, "trip", "ada") as ada:
            assert ada.state["/food"] == WORDS[1]
            await ada.set("/drink", "tea")
            await ada.until_saved()
        async with api_of(server, "ada") as client:
            listed = (await client.get("/api/v1/sessions")).json()["sessions"]
            assert listed[0]["title"] == f"The {WORDS[2]}"


@pytest.mark.asyncio
async def test_a_store_is_not_opened_without_its_keys(tmp_path: Path) -> None:
    async with guarded_node(tmp_path, encryption_keys=new_line()) as server:
        await write_words(server.url)
    for keys, says in (({}, "encryption-keys-file"), ({"encryption_keys": new_line()}, "not given")):
        with pytest.raises(CouldNotStart, match=says):
            async with running_server(load({"port": 0, "data": tmp_path, **keys}, {})):
                pass


@pytest.mark.asyncio
async def test_master_keys_are_changed_by_rotation(tmp_path: Path) -> None:
    data = tmp_path / "data"
    old, new = new_line(), new_line()
    async with guarded_node(data, encryption_keys=old) as server:
        await write_words(server.url)
    both = key_file(tmp_path, new, old)
    command = ("keys", "rotate", "--data", str(data), "--encryption-keys-file", str(both))
    program = (sys.executable, "-m", "threadline_server", *command)
    done = await anyio.run_process(program, env=clean_environment())
    assert b"2 keys" in done.stdout
    async with guarded_node(data, encryption_keys=new) as server, device_of(server, "trip", "ada") as ada:
        assert ada.state["/food"] == WORDS[1]


@pytest.mark.asyncio
async def test_a_deleted_session_takes_its_key_along(tmp_path: Path) -> None:
    async with guarded_node(tmp_path, encryption_keys=new_line()) as server:
        await write_words(server.url)
        kept = await server.node.backplane.list_values("data_key")
        assert "trip" in kept
        async with api_of(server, "ada") as client:
            assert (await client.delete("/api/v1/sessions/trip")).status_code == 204
        assert "trip" not in await server.node.backplane.list_values("data_key")


@pytest.mark.parametrize("line", ["", "k1", "k1 c2hvcnQ=", "k1 " + "A" * 43 + "=", "k1 !!!"])
def test_lines_that_are_no_keys_are_refused(line: str) -> None:
    with pytest.raises(ConfigurationError, match="threadline keys new"):
        parse_master_keys(line, "the file")

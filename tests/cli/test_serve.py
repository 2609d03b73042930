"""The command line as its users meet it: real processes and their exit codes."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from tests.raw_device import RawDevice, raw_device
from tests.server_process import clean_environment, server_process

TIMEOUT_S = 30


async def threadline(*arguments: str, cwd: Path | None = None, **environment: str) -> tuple[int, str]:
    """(exit code, everything printed) of a command that ends by itself."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "threadline_server", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=clean_environment() | environment,
        cwd=cwd,
    )
    output, _ = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    assert process.returncode is not None
    return process.returncode, " ".join(output.decode().split())


@asynccontextmanager
async def taken_port() -> AsyncIterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.asyncio
async def test_port_is_honoured_from_the_platform(tmp_path: Path) -> None:
    async with taken_port() as port:
        code, said = await threadline("serve", "--data", str(tmp_path / "d"), PORT=str(port))
    assert (code, f"Port {port}" in said) == (3, True)


@pytest.mark.asyncio
async def test_a_data_directory_that_is_held_is_said_with_its_holder(tmp_path: Path) -> None:
    async with server_process(tmp_path / "data") as holder:
        code, said = await threadline("serve", "--port", "0", "--data", str(tmp_path / "data"))
        assert code == 3
        assert f"is in use by process {holder.pid}" in said
        assert "Traceback" not in said
        async with raw_device(holder.url, "trip", "ada") as ada:
            await ada.set("/still", "here")
            await ada.until_saved()


@pytest.mark.asyncio
async def test_help_and_version() -> None:
    assert (await threadline("--version"))[1].startswith("threadline 0.")
    code, said = await threadline("--help")
    assert code == 0
    for verb in ("demo", "serve", "worker", "chat", "config", "doctor"):
        assert verb in said


@pytest.mark.asyncio
async def test_a_stopped_server_tells_devices_to_come_back_and_ends_with_0(tmp_path: Path) -> None:
    async with server_process(tmp_path / "data") as server:
        devices = [RawDevice("trip", f"user-{number}") for number in range(20)]
        for device in devices:
            await device.join(server.url)
            await device.until_synced()
        await devices[0].set("/last", "words")
        assert await server.stop() == 0
        assert {await device.until_closed() for device in devices} == {1012}
        for device in devices:
            await device.leave()
        await server.start()
        async with raw_device(server.url, "trip", "ada") as ada:
            assert ada.state == {"/last": "words"}


@pytest.mark.asyncio
async def test_pairing_guards_a_server_for_others(tmp_path: Path) -> None:
    async with server_process(tmp_path / "data", "--auth", "pairing") as server:
        stranger = RawDevice("trip", "eve")
        await stranger.join(server.url)
        await stranger.until(lambda: stranger.denied is not None, "it was denied")
        await stranger.leave()

        code = await server.said(r'"code": "([^"]+)"')
        async with httpx.AsyncClient(base_url=server.url) as client:
            answer = await client.post("/api/v1/pair", json={"code": code, "name": "ada"})
            token = answer.json()["token"]
            bearer = {"Authorization": f"Bearer {token}"}
            assert (await client.get("/api/v1/sessions")).status_code == 401
            assert (await client.get("/api/v1/sessions", headers=bearer)).status_code == 200
        ada = RawDevice("trip", token)
        await ada.join(server.url)
        await ada.until_synced()
        assert ada.hello is not None
        assert ada.hello.user == "ada"
        await ada.leave()

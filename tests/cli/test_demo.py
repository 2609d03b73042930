"""`threadline demo` as a person meets it: one process, an agent that answers, a code for other devices."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from tests.server_process import clean_environment

import threadline
from threadline_server.cli.invitation import qr_code

TIMEOUT_S = 60


class Demo:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.printed = ""

    async def said(self, pattern: str) -> str:
        """The first group of `pattern`, once it was printed."""
        assert self._process.stdout is not None
        async with asyncio.timeout(TIMEOUT_S):
            while (found := re.search(pattern, self.printed)) is None:
                line = await self._process.stdout.readline()
                assert line, f"the demo ended:\n{self.printed}"
                self.printed += line.decode()
        return found[1]

    async def stop(self) -> int:
        self._process.send_signal(signal.SIGINT)
        await asyncio.wait_for(self._process.communicate(), TIMEOUT_S)
        assert self._process.returncode is not None
        return self._process.returncode


@asynccontextmanager
async def demo(*arguments: str) -> AsyncIterator[Demo]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "threadline_server", "demo", "--port", "0", "--no-browser", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=clean_environment(),
    )
    running = Demo(process)
    try:
        yield running
    finally:
        if process.returncode is None:
            await running.stop()


@pytest.mark.asyncio
async def test_the_demo_serves_page_api_and_agent_in_one_process() -> None:
    async with demo() as running:
        url = await running.said(r"listening on (http://127\.0\.0\.1:\d+)")
        await running.said(f"(threadline chat {url} demo --token ada)")
        async with httpx.AsyncClient(base_url=url) as http:
            assert (await http.get("/")).headers["content-type"].startswith("text/html")
            assert (await http.get("/readyz")).json()["ready"] is True
        async with threadline.connect(url, token="ada") as phone:
            session = await phone.open("trip")
            run = await session.send("Find hotels in Berlin")
            kinds = [event.type async for event in run.events()]
        assert kinds[0] == "session_start"
        assert kinds[-1] == "done"
        async with threadline.connect(url, token="ada") as laptop:
            session = await laptop.open("trip")
            run = await session.send("Under $150 a night")
            assert [event.type async for event in run.events()][-1] == "done"
            assert "Berlin under $150" in session.messages[-1].text
        assert await running.stop() == 0


@pytest.mark.asyncio
async def test_sessions_are_kept_in_a_given_directory(tmp_path: Path) -> None:
    for _ in range(2):
        async with demo("--data", str(tmp_path / "kept")) as running:
            url = await running.said(r"listening on (http://\S+)")
            async with threadline.connect(url, token="ada") as device:
                session = await device.open("trip")
                session.counters.add("starts", 1)
                await session.saved()
                counted = session.counters["starts"]
    assert counted == 2


@pytest.mark.asyncio
async def test_a_killed_node_comes_back_with_what_it_had() -> None:
    async with demo() as running:
        url = await running.said(r"listening on (http://\S+)")
        async with httpx.AsyncClient(base_url=url) as http:
            assert (await http.get("/api/v1/demo")).json() == {"can_kill": True}
            async with threadline.connect(url, token="ada") as device:
                session = await device.open("trip")
                session["city"] = "Berlin"
                await session.saved()
                killed = await http.post("/api/v1/demo/kill", headers={"Authorization": "Bearer ada"})
                assert killed.status_code == 202
                await running.said("(killed, and is back)")
                session["nights"] = 2
                await session.saved()
            async with threadline.connect(url, token="bob") as other:
                seen = await other.open("trip")
                assert (seen["city"], seen["nights"]) == ("Berlin", 2)
        assert await running.stop() == 0


@pytest.mark.asyncio
async def test_on_the_local_network_a_code_is_required_and_shown_as_qr_code() -> None:
    async with demo("--lan") as running:
        port = await running.said(r"listening on http://[\d.]+:(\d+)")
        code = await running.said(r"with the code (\S+) at")
        await running.said("(▄)")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            ada = {"Authorization": "Bearer ada"}
            assert (await http.get("/api/v1/sessions", headers=ada)).status_code == 401
            paired = await http.post("/api/v1/pair", json={"code": code, "name": "ada"})
            ada = {"Authorization": f"Bearer {paired.json()['token']}"}
            assert (await http.get("/api/v1/sessions", headers=ada)).status_code == 200
            again = await http.post("/api/v1/pair", json={"code": code, "name": "bob"})
            assert again.status_code == 401


def test_qr_codes_are_blocks_of_text() -> None:
    assert set(qr_code("http://192.168.1.5:8000/pair#K7QF-3MZP")) <= set("█▀▄ \n")

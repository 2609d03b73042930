"""Notices of a server that is killed before anybody has taken them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.runs.offices import WAIT_S
from tests.runs.test_webhooks import SECRET, receiving
from tests.server_process import server_process

import threadline

ROOT = Path(__file__).parents[2]


@pytest.mark.asyncio
async def test_a_notice_survives_a_killed_server(tmp_path: Path, full: bool) -> None:
    if not full:
        pytest.skip("half a minute, until the notice of a lost process is due again; `make faults` has it")
    agent = ("--agent", "tests.api.obedient_agent:agent")
    async with receiving(*[0] * 50) as receiver:
        hook = ("--webhook-url", receiver.url, "--webhook-secret", SECRET.decode())
        async with server_process(tmp_path / "data", *agent, *hook, cwd=ROOT) as server:
            async with threadline.connect(server.url, token="ada") as client:
                session = await client.open("s")
                run = await session.send("hello")
                await run.wait(WAIT_S)
            await receiver.until(1)
            await server.kill()
            receiver.statuses.clear()
            await server.start()
            async with asyncio.timeout(WAIT_S * 2):
                await receiver.changed.until(lambda: receiver.taken > 0)
        assert receiver.received[-1].notice["run"] == run.id

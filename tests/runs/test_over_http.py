"""Runs of a started server, seen from outside: AG-UI over HTTP, notices, two devices of one session."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from ag_ui.core.events import Event as AgUi
from pydantic import TypeAdapter
from tests.runs.offices import WAIT_S, eventually
from tests.runs.test_webhooks import SECRET, is_signed, receiving

import threadline
from threadline_server.app import running_server
from threadline_server.settings import load

pytestmark = pytest.mark.asyncio


@asynccontextmanager
async def a_server(tmp_path: Path, **flags: object) -> AsyncIterator[str]:
    settings = load(
        {"port": 0, "data": tmp_path / "data", "agent": ("threadline.agents.travel:agent",), **flags}, {}
    )
    async with running_server(settings) as server:
        yield server.url


async def test_a_run_is_streamed_as_ag_ui_and_goes_on_after_the_last_event(tmp_path: Path) -> None:
    async with a_server(tmp_path) as url, httpx.AsyncClient(base_url=url, timeout=WAIT_S) as http:
        http.headers["authorization"] = "Bearer ada"
        await http.post("/api/v1/sessions", json={"id": "trip", "goal": "Find hotels in Berlin"})
        address = "/api/v1/sessions/trip/stream?format=ag-ui"
        await http.get(address)
        frames = [frame.splitlines() for frame in (await http.get(address)).text.split("\n\n") if frame]
        theirs: TypeAdapter[AgUi] = TypeAdapter(AgUi)
        events = [theirs.validate_python(json.loads(lines[-1].removeprefix("data: "))) for lines in frames]
        assert [event.type.value for event in (events[0], events[-1])] == ["RUN_STARTED", "RUN_FINISHED"]
        named = [place for place, lines in enumerate(frames) if lines[0].startswith("id: ")]
        middle = named[len(named) // 2]
        seen = frames[middle][0].removeprefix("id: ")
        rest = (await http.get(address, headers={"last-event-id": seen})).text
        assert [frame.splitlines() for frame in rest.split("\n\n") if frame] == frames[middle + 1 :]
        assert (await http.get("/api/v1/sessions/trip/stream?format=xml")).status_code == 422


async def test_a_server_tells_its_webhook(tmp_path: Path) -> None:
    async with receiving() as receiver:
        flags = {"webhook_url": receiver.url, "webhook_secret": SECRET.decode()}
        async with a_server(tmp_path, **flags) as url, threadline.connect(url, token="ada") as client:
            session = await client.open("trip")
            run = await session.send("Find hotels in Berlin")
            (told,) = await receiver.until(1)
            assert (told.notice["run"], told.notice["type"]) == (run.id, "run.completed")
            assert is_signed(told)


@pytest.mark.row("S1-5")
async def test_a_compacted_transcript_is_seen_on_another_device(tmp_path: Path) -> None:
    async with (
        a_server(tmp_path) as url,
        threadline.connect(url, token="ada", device="phone") as phone,
        threadline.connect(url, token="ada", device="laptop") as laptop,
    ):
        here, there = await phone.open("long"), await laptop.open("long")
        for number in range(50):
            here.add_message("user", f"message number {number}")
        await here.saved()
        here.messages = [{"role": "user", "content": "They counted."}, *here.messages[-10:]]
        await there.until(lambda: len(there.messages) == 11)
        assert sorted(message.text for message in there.messages) == sorted(
            ["They counted.", *(f"message number {number}" for number in range(40, 50))]
        )


@pytest.mark.row("S1-21")
async def test_a_value_is_gone_on_every_device_after_its_time(tmp_path: Path) -> None:
    async with (
        a_server(tmp_path) as url,
        threadline.connect(url, token="ada") as phone,
        threadline.connect(url, token="bob") as laptop,
    ):
        here, there = await phone.open("code"), await laptop.open("code")
        here.set("code", "1234", ttl=1)
        await there.until(lambda: there.get("code") == "1234")

        async def gone() -> bool:
            return "code" not in here and "code" not in there

        await eventually(gone)
        assert (here.keys(), there.keys()) == ([], [])

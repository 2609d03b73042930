"""A whole node in this process, met through its socket."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import fastapi.routing
import httpx
import pytest
from fastapi import FastAPI
from tests.raw_device import RawDevice, raw_device

import threadline
from threadline_server.app import RunningServer, create_app, running_server
from threadline_server.backplane.base import SessionQuery
from threadline_server.edge.http import reference
from threadline_server.settings import load
from threadline_server.startup import CouldNotStart


@asynccontextmanager
async def node(data: Path, **flags: object) -> AsyncIterator[RunningServer]:
    async with running_server(load({"port": 0, "data": data, **flags}, {})) as server:
        yield server


@asynccontextmanager
async def http(server: RunningServer, user: str = "ada") -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {user}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers) as client:
        yield client


@pytest.mark.asyncio
async def test_the_transcript_is_read_over_http_in_pages(tmp_path: Path) -> None:
    async with node(tmp_path) as server, raw_device(server.url, "trip", "ada", "laptop") as ada:
        for number in range(5):
            await ada.say(f"message {number}")
        await ada.until_saved()
        async with http(server) as client:
            newest = (await client.get("/api/v1/sessions/trip/history?limit=3")).json()
            assert [m["content"] for m in newest["messages"]] == ["message 2", "message 3", "message 4"]
            assert newest["message_count"] == 5
            query = {"limit": 3, "cursor": newest["cursor"]}
            oldest = (await client.get("/api/v1/sessions/trip/history", params=query)).json()
            assert [m["content"] for m in oldest["messages"]] == ["message 0", "message 1"]
            assert oldest["cursor"] is None
            first = oldest["messages"][0]
            assert first["author"] == {"user": "ada", "device": "laptop", "name": "ada"}
            assert (first["role"], first["seq"]) == ("user", 1)

            lost = await client.get("/api/v1/sessions/trip/history?cursor=nothing")
            assert (lost.status_code, lost.json()["error"]["code"]) == (409, "unknown_cursor")
            missing = await client.get("/api/v1/sessions/nowhere/history")
            assert (missing.status_code, missing.json()["error"]["code"]) == (404, "session_not_found")


@pytest.mark.asyncio
async def test_a_newcomer_has_everything_when_it_is_synced(tmp_path: Path) -> None:
    """Also from a base with a tail behind it."""
    for start in (0, 100):
        async with node(tmp_path, compact_turns=50) as server, raw_device(server.url, "trip", "ada") as ada:
            for number in range(start, start + 70):
                await ada.set(f"/{number}", number)
                await ada.until_saved()
    async with node(tmp_path) as server, raw_device(server.url, "trip", "bob") as newcomer:
        assert len(newcomer.state) == 140
        assert newcomer.synced_with == newcomer.doc.get_state()


@pytest.mark.asyncio
async def test_a_deleted_session_ends_for_its_devices_with_a_reason(tmp_path: Path) -> None:
    async with node(tmp_path) as server, raw_device(server.url, "trip", "ada") as ada:
        await ada.until_saved()
        async with http(server) as client:
            assert (await client.delete("/api/v1/sessions/trip")).status_code == 204
        await ada.until(lambda: ada.document_closed is not None, "it was told")
        assert ada.document_closed is not None
        assert ada.document_closed.startswith("session_deleted")

        again = RawDevice("trip", "ada")
        await again.join(server.url)
        await again.until(lambda: again.denied is not None, "it was denied")
        assert again.denied is not None
        assert again.denied.startswith("session_deleted")
        await again.leave()


@pytest.mark.asyncio
async def test_a_node_tells_how_it_is(tmp_path: Path) -> None:
    async with node(tmp_path) as server, raw_device(server.url, "trip", "ada"), http(server) as client:
        assert (await client.get("/livez")).text == "ok"
        ready = (await client.get("/readyz")).json()
        assert ready == {"ready": True, "checks": {"accepting": True, "store": True, "connections": True}}
        metrics = (await client.get("/metrics")).text
        for name in (
            "edge_connections 1.0",
            "rooms_members 1.0",
            "rooms_updates_total",
            "upkeep_rounds_total",
        ):
            assert f"threadline_{name}" in metrics


@pytest.mark.asyncio
async def test_a_node_that_stops_is_not_ready(tmp_path: Path) -> None:
    async with node(tmp_path, max_connections=1) as server, http(server) as client:
        async with raw_device(server.url, "trip", "ada"):
            full = await client.get("/readyz")
            assert (full.status_code, full.json()["checks"]["connections"]) == (503, False)
        await server.node.send_away()
        stopping = await client.get("/readyz")
        assert (stopping.status_code, stopping.json()["checks"]["accepting"]) == (503, False)


@pytest.mark.asyncio
async def test_the_reference_needs_no_script_and_no_other_host(tmp_path: Path) -> None:
    async with node(tmp_path) as server, http(server) as client:
        page = await client.get("/docs")
        assert "GET /api/v1/sessions/{session}/history" in page.text
        assert "<script" not in page.text
        assert "https://" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        described = (await client.get("/openapi.json")).json()["paths"]
        assert "/api/v1/sessions" in described
        assert "ErrorEnvelope" in str(described["/api/v1/sessions"]["post"]["responses"]["409"])


@pytest.mark.asyncio
async def test_the_reference_is_written_once_and_not_on_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written_in: list[threading.Thread] = []

    def write(app: FastAPI) -> Any:
        written_in.append(threading.current_thread())
        return write_reference(app)

    write_reference = reference._write
    monkeypatch.setattr(reference, "_write", write)
    async with node(tmp_path) as server, http(server) as client:
        paths = ("/docs", "/openapi.json") * 3
        answers = await asyncio.gather(*(client.get(path) for path in paths))
    assert [answer.status_code for answer in answers] == [200] * len(paths)
    assert len(written_in) == 1
    assert written_in[0] is not threading.main_thread()


@pytest.mark.asyncio
async def test_no_request_waits_for_routes_to_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FastAPI would make them of their functions' signatures when the first one comes."""

    def made(**_: object) -> NoReturn:
        raise AssertionError("a route was made for a request")

    async with node(tmp_path) as server, http(server) as client:
        monkeypatch.setattr(fastapi.routing, "get_dependant", made)
        statuses = [
            (await client.get(path)).status_code for path in ("/livez", "/api/v1/sessions", "/nowhere")
        ]
    assert statuses == [200, 200, 404]


@pytest.mark.asyncio
async def test_a_name_that_is_not_ours_is_turned_away(tmp_path: Path) -> None:
    async with node(tmp_path) as server, http(server) as client:
        rebound = await client.get("/api/v1/sessions", headers={"Host": "evil.example"})
        assert (rebound.status_code, rebound.json()["error"]["code"]) == (421, "unknown_host")
        foreign = await client.post("/api/v1/sessions", headers={"Origin": "http://evil.example"})
        assert (foreign.status_code, foreign.json()["error"]["code"]) == (403, "unknown_origin")


@pytest.mark.row("S1-29")
@pytest.mark.asyncio
async def test_idle_sessions_expire_unless_somebody_has_them_open(tmp_path: Path) -> None:
    expiring = {"expire_after_s": 1.0, "upkeep_every_s": 0.01}
    async with (
        node(tmp_path, **expiring) as server,
        raw_device(server.url, "held", "ada"),
        http(server) as client,
    ):
        await client.post("/api/v1/sessions", json={"id": "left"})
        async with asyncio.timeout(20):
            while (await client.get("/api/v1/sessions/left")).status_code != 410:
                pass
        assert (await client.get("/api/v1/sessions/held")).status_code == 200


@pytest.mark.asyncio
async def test_an_agent_of_the_node_answers(tmp_path: Path) -> None:
    agent = ("threadline.agents.travel:agent",)
    async with (
        node(tmp_path, agent=agent) as server,
        threadline.connect(server.url, token="ada") as device,
    ):
        session = await device.open("trip")
        run = await session.send("Find hotels in Berlin")
        assert [event.type async for event in run.events()][-1] == "done"
        async with http(server) as client:
            history = (await client.get("/api/v1/sessions/trip/history")).json()["messages"]
            assert [message["role"] for message in history] == ["user", "assistant"]


@pytest.mark.asyncio
async def test_another_asgi_server_can_run_the_application(tmp_path: Path) -> None:
    app = create_app(load({"data": tmp_path}, {}))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            assert (await client.get("/readyz")).json()["ready"] is True
            assert (await client.post("/api/v1/sessions", json={"id": "trip"})).status_code == 201


@pytest.mark.asyncio
async def test_a_second_node_on_the_same_data_does_not_start(tmp_path: Path) -> None:
    async with node(tmp_path) as first:
        with pytest.raises(CouldNotStart, match="in use by process"):
            async with node(tmp_path):
                pass
        await first.node.backplane.list_sessions(SessionQuery())

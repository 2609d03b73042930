"""Runs over HTTP: asked for, followed, stopped, looked at; by the same rules as from a device."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

import threadline
from threadline_server.app import RunningServer, running_server
from threadline_server.settings import load

AGENT = "threadline.agents.travel:agent"


@asynccontextmanager
async def api(data: Path, **flags: object) -> AsyncIterator[tuple[RunningServer, httpx.AsyncClient]]:
    """A node with the demo's agent, and Ada's HTTP client."""
    settings = load({"port": 0, "data": data, "agent": (AGENT,), **flags}, {})
    async with (
        running_server(settings) as server,
        httpx.AsyncClient(base_url=server.url, headers={"Authorization": "Bearer ada"}, timeout=30) as client,
    ):
        yield server, client


async def events_of(
    client: httpx.AsyncClient, path: str, after: str | None = None
) -> list[dict[str, object]]:
    """All events of a stream until it ends."""
    headers = {} if after is None else {"Last-Event-ID": after}
    response = await client.get(path, headers=headers)
    assert response.headers["content-type"].startswith("text/event-stream")
    frames = [frame for frame in response.text.split("\n\n") if frame.startswith("id: ")]
    return [json.loads(frame.partition("\ndata: ")[2]) for frame in frames]


@pytest.mark.row("S3-8", "S3-10", "S3-31", "S3-49")
@pytest.mark.asyncio
async def test_a_session_with_a_goal_has_a_run_that_goes_on_by_itself(tmp_path: Path) -> None:
    async with api(tmp_path) as (_, client):
        body = {"id": "trip", "goal": "Find hotels in Berlin", "context": {"budget": [150]}, "max_steps": 7}
        assert (await client.post("/api/v1/sessions", json=body)).status_code == 201
        events = await events_of(client, "/api/v1/sessions/trip/stream")
        kinds = [event["type"] for event in events]
        assert (kinds[0], kinds[-1], kinds.count("done")) == ("session_start", "done", 1)
        assert {"thinking", "tool_call", "tool_result", "output"} <= set(kinds)

        seen = (await client.get("/api/v1/sessions/trip")).json()
        assert (seen["status"], seen["goal"], seen["context"]) == (
            "completed",
            body["goal"],
            {"budget": [150]},
        )
        assert seen["limits"] == {"max_steps": 7, "max_tokens": 4000, "timeout_seconds": 120}
        assert [step["number"] for step in seen["steps"]] == list(range(1, len(seen["steps"]) + 1))
        assert seen["tool_calls"] == 1
        assert seen["tokens_used"] > 0
        assert seen["duration_ms"] > 0


@pytest.mark.row("S3-53")
@pytest.mark.asyncio
async def test_a_stream_goes_on_after_the_last_event_seen(tmp_path: Path) -> None:
    async with api(tmp_path) as (_, client):
        await client.post("/api/v1/sessions", json={"id": "trip", "goal": "Find hotels in Berlin"})
        whole = await events_of(client, "/api/v1/sessions/trip/stream")
        late = await events_of(client, "/api/v1/sessions/trip/stream")
        for place in (0, len(late) // 2, len(late) - 2):
            rest = await events_of(client, "/api/v1/sessions/trip/stream", after=str(late[place]["id"]))
            assert rest == late[place + 1 :]
        assert whole[-1] == late[-1]


@pytest.mark.asyncio
async def test_runs_are_asked_for_listed_and_looked_at(tmp_path: Path) -> None:
    async with api(tmp_path) as (_, client):
        await client.post("/api/v1/sessions", json={"id": "trip"})
        none = await client.get("/api/v1/sessions/trip/stream")
        assert (none.status_code, none.json()["error"]["code"]) == (409, "no_run")
        asked = await client.post("/api/v1/sessions/trip/runs", json={"goal": "Find hotels in Paris"})
        assert asked.status_code == 202
        run = asked.json()["run"]
        await events_of(client, f"/api/v1/sessions/trip/stream?run={run}")
        listed = (await client.get("/api/v1/sessions/trip/runs")).json()["runs"]
        assert [r["id"] for r in listed] == [run]
        assert (await client.get(f"/api/v1/sessions/trip/runs/{run}")).json() == listed[0]
        unknown = await client.get("/api/v1/sessions/trip/runs/ada/nothing")
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (409, "no_run")


@pytest.mark.row("S3-40", "S3-52")
@pytest.mark.asyncio
async def test_a_run_is_cancelled_and_keeps_what_it_said(tmp_path: Path) -> None:
    async with api(tmp_path) as (server, client), threadline.connect(server.url, token="ada") as device:
        session = await device.open("trip")
        run = await session.send("Find hotels in Berlin")
        async for event in run.events():
            if event.type == "output":
                await client.post("/api/v1/sessions/trip/cancel", json={"reason": "enough"})
        assert run.status == "cancelled"
        assert session.messages[-1].text != ""
        again = await client.post("/api/v1/sessions/trip/cancel")
        assert again.status_code == 200


@pytest.mark.row("S3-16")
@pytest.mark.asyncio
async def test_the_python_client_mirrors_it(tmp_path: Path) -> None:
    async with api(tmp_path) as (server, _), threadline.connect(server.url, token="ada") as client:
        created = await client.sessions.create(goal="Find hotels in Berlin")
        kinds = [event["type"] async for event in client.sessions.stream(created.id)]
        assert kinds[-1] == "done"
        assert (await client.sessions.get(created.id)).status == "completed"
        assert [session.id for session in await client.sessions.list()] == [created.id]


@pytest.mark.row("S3-5", "S3-57")
@pytest.mark.asyncio
async def test_what_cannot_be_asked_is_said(tmp_path: Path) -> None:
    async with api(tmp_path) as (_, client):
        await client.post("/api/v1/sessions", json={"id": "trip"})
        for body in ({}, {"goal": ""}, {"goal": "x", "max_steps": 0}, {"goal": "x", "colour": "red"}):
            answer = await client.post("/api/v1/sessions/trip/runs", json=body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_request")
        missing = await client.post("/api/v1/sessions/nowhere/runs", json={"goal": "x"})
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "session_not_found")
        nothing = await client.post("/api/v1/sessions/trip/cancel")
        assert (nothing.status_code, nothing.json()["error"]["code"]) == (409, "no_run")


@pytest.mark.asyncio
async def test_streams_end_when_the_node_stops(tmp_path: Path) -> None:
    async with api(tmp_path) as (server, client):
        await client.post("/api/v1/sessions", json={"id": "trip", "goal": "Find hotels in Berlin"})
        async with client.stream("GET", "/api/v1/sessions/trip/stream") as response:
            lines = response.aiter_lines()
            assert (await anext(lines)).startswith("id: ")
            server.node.streams.end_all()
            assert [line async for line in lines if line.startswith("event: done")] == []

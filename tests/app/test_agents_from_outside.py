"""Agents that come with a key of their own: let in by the owners of each session, and as agents alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.app.conftest import api_of, ended, guarded_node
from tests.raw_device import PATIENCE_S, RawDevice

import threadline
from threadline.actors import Role
from threadline_server.app import RunningServer

AGENT = "agent:travel"


async def key_of_the_agent(server: RunningServer) -> tuple[str, str]:
    """(id, token), made by an operator."""
    async with api_of(server, "root") as root:
        made = (await root.post("/api/v1/keys", json={"label": "travel", "agent": "travel"})).json()
        return made["id"], made["token"]


async def grant(server: RunningServer, user: str, role: str) -> int:
    async with api_of(server, "ada") as ada:
        await ada.post("/api/v1/sessions", json={"id": "trip"})
        answer = await ada.put(f"/api/v1/sessions/trip/members/{user}", json={"role": role})
        return answer.status_code


@pytest.mark.asyncio
async def test_an_agent_answers_where_it_was_let_in(tmp_path: Path) -> None:
    async with guarded_node(tmp_path, operators=("root",)) as server:
        key, token = await key_of_the_agent(server)
        stranger = RawDevice("trip", AGENT, token=token)
        assert await grant(server, "bob", "editor") == 200
        await stranger.join(server.url)
        await stranger.until(lambda: stranger.denied is not None)
        await stranger.leave()
        assert await grant(server, AGENT, "agent") == 200
        async with threadline.connect(server.url, token=token) as client, asyncio.timeout(PATIENCE_S):
            session = await client.open("trip")
            assert (client.user, session.role) == (AGENT, Role.AGENT)
            session.add_message("assistant", "I am here")
            session["agent:plan"] = ["find", "book"]
            await session.saved()
            assert [(m.role, m.author.user) for m in session.messages] == [("assistant", AGENT)]
            async with api_of(server, "ada") as ada:
                await ada.delete(f"/api/v1/sessions/trip/members/{AGENT}")
            await session.until(lambda: session.problem is not None)
        assert await grant(server, AGENT, "agent") == 200
        device = RawDevice("trip", AGENT, token=token)
        await device.join(server.url)
        await device.until_synced()
        async with api_of(server, "root") as root:
            assert [each["user"] for each in (await root.get("/api/v1/keys")).json()["keys"]] == [AGENT]
            assert (await root.delete(f"/api/v1/keys/{key}")).status_code == 204
        assert await ended(device) == "unauthorized"
        await device.leave()


@pytest.mark.asyncio
async def test_an_agents_key_is_good_for_nothing_else(tmp_path: Path) -> None:
    async with guarded_node(tmp_path, operators=("root",)) as server:
        async with api_of(server, "eve") as eve:
            answer = await eve.post("/api/v1/keys", json={"label": "x", "agent": "travel"})
            assert answer.status_code == 403
        _, token = await key_of_the_agent(server)
        assert await grant(server, "bob", "agent") == 403
        assert await grant(server, AGENT, "owner") == 403
        assert await grant(server, "server:", "agent") == 403
        async with api_of(server, "ada") as ada:
            invitation = (await ada.post("/api/v1/sessions/trip/invitations", json={})).json()
        async with api_of(server, "", token=token) as agent:
            assert (await agent.get("/api/v1/me")).json()["user"] == AGENT
            described = (await agent.get("/openapi.json")).json()["paths"]
            assert (await agent.get("/api/v1/sessions")).json()["sessions"] == []
            for path, body in (
                ("sessions", {"id": "own"}),
                ("keys", {"label": "another"}),
                ("device-links", {}),
                ("invitations/accept", {"code": invitation["code"]}),
            ):
                answer = await agent.post(f"/api/v1/{path}", json=body)
                assert answer.status_code == 403, (path, answer.text)
                assert "403" in described[f"/api/v1/{path}"]["post"]["responses"], path
        device = RawDevice("nobodys", AGENT, token=token)
        await device.join(server.url)
        await device.until(lambda: device.denied is not None)
        assert str(device.denied).startswith("forbidden")
        await device.leave()

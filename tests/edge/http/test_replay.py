"""The log over HTTP, and sessions that begin at a moment of another."""

from __future__ import annotations

import itertools
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from pycrdt import Doc

from threadline.actors import Actor, Role
from threadline.document.messages import Author
from threadline.document.session_document import SessionDocument
from threadline.ids import SessionId, uuid7
from threadline_server.backplane.base import DocumentName
from threadline_server.backplane.embedded import EmbeddedBackplane
from threadline_server.edge.access import Access
from threadline_server.edge.authentication import TrustingAuthenticator
from threadline_server.edge.http.caller import caller_of
from threadline_server.edge.http.errors import add_error_handlers
from threadline_server.edge.http.replay import replay_routes
from threadline_server.rooms.registry import Rooms

ADA = {"Authorization": "Bearer ada"}
BOB = {"Authorization": "Bearer bob"}
SAID = ["Find hotels in Berlin", "Under $150"]


async def _say(rooms: Rooms, text: str, number: int) -> None:
    async with rooms.replica(DocumentName("trip"), Actor("ada", Role.OWNER)) as replica:
        with replica.edit() as doc:
            SessionDocument(doc).messages.create(
                f"ada/{number}", role="user", author=Author("ada"), created_at=number, text=text
            )
        await replica.saved()


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Ada has said two things in `trip`; users see only what they own."""
    clock = itertools.count(1_700_000_000_000, 1000)
    backplane = EmbeddedBackplane(tmp_path)
    await backplane.open()
    access = Access(backplane, open_to_all=False, now_ms=lambda: next(clock), new_lineage=uuid7)
    app = FastAPI()
    add_error_handlers(app)
    async with Rooms(backplane) as rooms:
        app.include_router(replay_routes(backplane, rooms, access, caller_of(TrustingAuthenticator())))
        principal = await TrustingAuthenticator().authenticate("ada")
        await access.enter(SessionId("trip"), principal)
        for number, text in enumerate(SAID):
            await _say(rooms, text, number)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test/api/v1/sessions") as client:
            yield client
    await backplane.close()


async def _texts(client: httpx.AsyncClient, session: str) -> list[list[str]]:
    """What was said after every change, from the first to the last."""
    replay = (await client.get(f"/{session}/replay", headers=ADA)).raise_for_status().json()
    doc: Doc[Any] = Doc()
    moments = []
    for change in replay["changes"]:
        doc.apply_update(b64decode(change["update"]))
        moments.append([message.text for message in SessionDocument(doc).messages])
    return moments


@pytest.mark.asyncio
async def test_replaying_the_log_gives_every_moment(client: httpx.AsyncClient) -> None:
    moments = await _texts(client, "trip")
    assert SAID[:1] in moments
    assert moments[-1] == SAID


@pytest.mark.asyncio
async def test_a_branch_has_what_was_there_at_its_moment(client: httpx.AsyncClient) -> None:
    first = (await _texts(client, "trip")).index(SAID[:1]) + 1
    made = await client.post("/trip/branch", json={"changes": first}, headers=ADA)
    assert made.status_code == 201
    assert (await _texts(client, made.json()["id"]))[-1] == SAID[:1]
    assert (await _texts(client, "trip"))[-1] == SAID


@pytest.mark.asyncio
async def test_a_moment_beyond_the_log_is_named(client: httpx.AsyncClient) -> None:
    refused = await client.post("/trip/branch", json={"changes": 10_000}, headers=ADA)
    assert refused.json()["error"]["code"] == "no_such_moment"


@pytest.mark.asyncio
async def test_strangers_read_no_log(client: httpx.AsyncClient) -> None:
    assert (await client.get("/trip/replay", headers=BOB)).status_code == 403
    assert (await client.post("/trip/branch", json={"changes": 1}, headers=BOB)).status_code == 403

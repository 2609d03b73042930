from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from threadline.ids import uuid7
from threadline_server.backplane.embedded import EmbeddedBackplane
from threadline_server.edge.access import Access
from threadline_server.edge.authentication import TrustingAuthenticator
from threadline_server.edge.http.caller import caller_of
from threadline_server.edge.http.errors import add_error_handlers
from threadline_server.edge.http.request_frame import RequestFrame
from threadline_server.edge.http.sessions import session_routes
from threadline_server.edge.http.streams import Streams
from threadline_server.rooms.registry import Rooms
from threadline_server.telemetry.audit import Audit

SESSIONS = "/api/v1/sessions"


def as_user(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Users see only what they own; the clock ticks once a call."""
    clock = itertools.count(1_700_000_000_000, 1000)
    backplane = EmbeddedBackplane(tmp_path)
    await backplane.open()
    rooms = await Rooms(backplane).__aenter__()
    access = Access(backplane, open_to_all=False, now_ms=lambda: next(clock), new_lineage=uuid7)
    app = FastAPI()
    add_error_handlers(app)
    app.add_middleware(RequestFrame, max_body_bytes=10_000)
    caller = caller_of(TrustingAuthenticator())
    app.include_router(session_routes(backplane, rooms, access, Streams(rooms), Audit(lambda: 0), caller))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://t", headers=as_user("ada")) as client:
        yield client
    await rooms.__aexit__(None, None, None)
    await backplane.close()


@pytest.mark.asyncio
async def test_a_session_is_created_seen_changed_and_deleted(client: httpx.AsyncClient) -> None:
    created = await client.post(SESSIONS, json={"id": "trip", "title": "Berlin", "labels": ["work"]})
    assert created.status_code == 201
    assert created.json()["owner"] == "ada"
    assert created.json()["role"] == "owner"
    assert created.json()["created_at"].startswith("2023-11-14T")

    seen = (await client.get(f"{SESSIONS}/trip")).json()
    assert seen | {"status": ""} == seen | created.json()
    assert (seen["status"], seen["steps"], seen["tokens_used"]) == ("created", [], 0)

    changed = await client.patch(f"{SESSIONS}/trip", json={"title": "Paris", "labels": []})
    assert (changed.json()["title"], changed.json()["labels"]) == ("Paris", [])

    assert (await client.delete(f"{SESSIONS}/trip")).status_code == 204
    gone = await client.get(f"{SESSIONS}/trip")
    assert (gone.status_code, gone.json()["error"]["code"]) == (410, "session_deleted")


@pytest.mark.asyncio
async def test_an_id_is_made_up_when_none_is_given(client: httpx.AsyncClient) -> None:
    first, second = (await client.post(SESSIONS)).json(), (await client.post(SESSIONS, json={})).json()
    assert first["id"] != second["id"]


@pytest.mark.asyncio
async def test_creating_again_gives_the_owner_what_is_there(client: httpx.AsyncClient) -> None:
    first = await client.post(SESSIONS, json={"id": "trip"})
    again = await client.post(SESSIONS, json={"id": "trip"})
    assert (again.status_code, again.json()["lineage"]) == (200, first.json()["lineage"])

    stranger = await client.post(SESSIONS, json={"id": "trip"}, headers=as_user("bob"))
    assert (stranger.status_code, stranger.json()["error"]["code"]) == (409, "session_exists")


@pytest.mark.asyncio
async def test_a_listing_has_pages_and_only_what_the_caller_may_see(client: httpx.AsyncClient) -> None:
    for number in range(5):
        await client.post(SESSIONS, json={"id": f"trip-{number}"})
    await client.post(SESSIONS, json={"id": "other"}, headers=as_user("bob"))

    seen: list[str] = []
    cursor = None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await client.get(SESSIONS, params=query)).json()
        seen += [session["id"] for session in page["sessions"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert seen == [f"trip-{number}" for number in reversed(range(5))]


@pytest.mark.asyncio
async def test_filters(client: httpx.AsyncClient) -> None:
    await client.post(SESSIONS, json={"id": "a", "agent": "travel", "labels": ["x"]})
    await client.post(SESSIONS, json={"id": "b", "parent": "a", "title": "Hotels in Berlin"})

    async def ids(**query: str) -> list[str]:
        return [s["id"] for s in (await client.get(SESSIONS, params=query)).json()["sessions"]]

    assert await ids(agent="travel") == ["a"]
    assert await ids(label="x") == ["a"]
    assert await ids(parent="a") == ["b"]
    assert await ids(text="berlin") == ["b"]


@pytest.mark.asyncio
async def test_strangers_may_neither_look_nor_change_nor_delete(client: httpx.AsyncClient) -> None:
    await client.post(SESSIONS, json={"id": "trip"})
    for method, body in (("GET", None), ("PATCH", {"title": "x"}), ("DELETE", None)):
        answer = await client.request(method, f"{SESSIONS}/trip", json=body, headers=as_user("bob"))
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"id": "a b"}, "id"),
        ({"titel": "x"}, "titel"),
        ({"labels": [""]}, "labels"),
        ({"id": "x" * 129}, "id"),
    ],
)
async def test_what_is_wrong_with_a_body_is_named(
    client: httpx.AsyncClient, body: dict[str, object], field: str
) -> None:
    answer = await client.post(SESSIONS, json=body)
    assert answer.status_code == 422
    assert field in answer.json()["error"]["details"][0]["at"]


@pytest.mark.asyncio
async def test_unknown_sessions_and_bad_ids_and_names(client: httpx.AsyncClient) -> None:
    missing = await client.get(f"{SESSIONS}/nowhere")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "session_not_found")
    assert (await client.get(f"{SESSIONS}/bad id")).status_code == 422
    nobody = await client.get(SESSIONS, headers=as_user("server:"))
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, "unauthorized")
    assert nobody.headers["www-authenticate"] == "Bearer"

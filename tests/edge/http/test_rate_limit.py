"""Callers that come too often are told when to come back, and nobody else is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from limits.aio.storage import MemoryStorage
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Message

from threadline_server.edge.http.rate_limit import RateLimit
from threadline_server.edge.options import EdgeOptions


async def answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse("", 401 if "wrong" in request.headers.get("authorization", "") else 200)


@asynccontextmanager
async def calls(address: str, limited: RateLimit) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(limited, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def limited(**bounds: int) -> RateLimit:
    app = Starlette(routes=[Route("/api/v1/x", answer), Route("/livez", answer)])
    return RateLimit(app, MemoryStorage(), EdgeOptions(**bounds))


async def statuses(client: httpx.AsyncClient, count: int, token: str, path: str = "/api/v1/x") -> list[int]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return [(await client.get(path, headers=headers)).status_code for _ in range(count)]


@pytest.mark.asyncio
@pytest.mark.usefixtures("one_minute")
async def test_each_caller_has_its_own_share() -> None:
    app = limited(requests_per_minute=3)
    async with calls("10.0.0.1", app) as client:
        assert await statuses(client, 4, "ada") == [200, 200, 200, 429]
        assert await statuses(client, 1, "bob") == [200]
        assert await statuses(client, 4, "") == [200, 200, 200, 429]
        turned_away = await client.get("/api/v1/x")
        assert 1 <= int(turned_away.headers["retry-after"]) <= 60
        assert turned_away.json()["error"]["code"] == "too_many_requests"
        assert await statuses(client, 5, "ada", "/livez") == [200] * 5
    async with calls("10.0.0.2", app) as client:
        assert await statuses(client, 1, "") == [200]
    assert app.turned_away.stats() == {
        "requests_turned_away_total": 3,
        "refusals_turned_away_total": 0,
        "bodies_too_large_total": 0,
    }


@pytest.mark.asyncio
@pytest.mark.usefixtures("one_minute")
async def test_guessing_tokens_is_stopped_by_address_whatever_the_token() -> None:
    app = limited(refusals_per_minute=3)
    async with calls("10.0.0.1", app) as client:
        found = [(await statuses(client, 1, f"wrong{n}"))[0] for n in range(5)]
        assert found == [401, 401, 401, 429, 429]
    async with calls("10.0.0.2", app) as client:
        assert await statuses(client, 1, "ada") == [200]
    async with calls("127.0.0.1", app) as client:
        assert await statuses(client, 5, "wrong") == [401] * 5


@pytest.mark.asyncio
@pytest.mark.usefixtures("one_minute")
async def test_a_refusal_is_counted_before_it_is_told() -> None:
    """Whoever reads one may send the next at once, while what answered it has not returned."""
    app = limited(refusals_per_minute=1)
    found: list[int] = []
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/api/v1/x",
        "query_string": b"",
        "headers": [(b"authorization", b"Bearer wrong")],
        "client": ("10.0.0.1", 1),
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            found.append(message["status"])
            if len(found) == 1:
                await app(dict(scope), receive, send)

    await app(dict(scope), receive, send)
    assert found == [401, 429]

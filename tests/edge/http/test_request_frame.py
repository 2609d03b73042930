from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI, Request

from threadline.errors import Forbidden, SessionDeleted, SessionNotFound, StoreError, Unauthorized
from threadline_server.edge.http.errors import add_error_handlers
from threadline_server.edge.http.request_frame import RequestFrame

ERRORS = {"unauthorized": Unauthorized, "forbidden": Forbidden, "not_found": SessionNotFound}
ERRORS |= {"gone": SessionDeleted, "store": StoreError}


def app_that_fails() -> FastAPI:
    app = FastAPI()
    add_error_handlers(app)
    app.add_middleware(RequestFrame, max_body_bytes=1000)

    @app.get("/fail/{kind}")
    async def fail(kind: str) -> None:
        raise ERRORS[kind]("because")

    @app.post("/length")
    async def length(request: Request) -> int:
        return len(await request.body())

    @app.get("/number")
    async def number(n: int) -> int:
        return n

    return app


@pytest_asyncio.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app_that_fails(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("unauthorized", 401, "unauthorized"),
        ("forbidden", 403, "forbidden"),
        ("not_found", 404, "session_not_found"),
        ("gone", 410, "session_deleted"),
        ("store", 503, "store_error"),
        ("crash", 500, "internal_error"),
    ],
)
async def test_every_failure_has_the_same_envelope(
    client: httpx.AsyncClient, kind: str, status: int, code: str
) -> None:
    response = await client.get(f"/fail/{kind}", headers={"X-Request-Id": "abc"})
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["request_id"]) == (status, code, "abc")
    assert response.headers["x-request-id"] == "abc"
    assert set(error) == {"code", "message", "details", "request_id"}


@pytest.mark.asyncio
async def test_unknown_paths_and_wrong_arguments_too(client: httpx.AsyncClient) -> None:
    missing = await client.get("/nowhere")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")

    wrong = await client.get("/number", params={"n": "many"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "invalid_request")
    assert wrong.json()["error"]["details"][0]["at"] == ["query", "n"]

    method = await client.delete("/number")
    assert (method.status_code, method.headers["allow"]) == (405, "GET")


@pytest.mark.asyncio
async def test_a_body_beyond_the_bound_is_refused_announced_or_not(client: httpx.AsyncClient) -> None:
    async def in_parts() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * 100

    assert (await client.post("/length", content=b"x" * 1000)).json() == 1000
    for content in (b"x" * 1001, in_parts()):
        response = await client.post("/length", content=content)
        assert (response.status_code, response.json()["error"]["code"]) == (413, "content_too_large")


@pytest.mark.asyncio
async def test_a_request_id_that_is_no_plain_text_is_replaced(client: httpx.AsyncClient) -> None:
    response = await client.get("/number?n=1", headers={"X-Request-Id": "x" * 65})
    assert len(response.headers["x-request-id"]) == 16

from __future__ import annotations

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from threadline_server.edge.host_guard import LOOPBACK_HOSTS, HostGuard, host_name
from threadline_server.edge.origins import Origins


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def _request(method: str, url: str, headers: dict[str, str]) -> int:
    guard = HostGuard(_answer, LOOPBACK_HOSTS, Origins(["https://app.example/"]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(guard)) as client:
        return (await client.request(method, url, headers=headers)).status_code


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("method", "url", "origin", "status"),
    [
        ("GET", "http://127.0.0.1:8000/", None, 200),
        ("GET", "http://[::1]:8000/", None, 200),
        ("GET", "http://rebound.example:8000/", None, 421),
        ("GET", "http://localhost:8000/", "http://evil.example", 200),
        ("POST", "http://localhost:8000/", None, 200),
        ("POST", "http://localhost:8000/", "http://localhost:8000", 200),
        ("POST", "http://localhost:8000/", "https://app.example", 200),
        ("POST", "http://localhost:8000/", "http://localhost:9000", 403),
        ("DELETE", "http://localhost:8000/", "http://evil.example", 403),
        ("DELETE", "http://localhost:8000/", "null", 403),
    ],
)
async def test_http(method: str, url: str, origin: str | None, status: int) -> None:
    assert await _request(method, url, {} if origin is None else {"Origin": origin}) == status


@pytest.mark.asyncio
async def test_a_websocket_under_a_foreign_name_is_refused_before_the_handshake() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    headers = [(b"host", b"evil.example:8000"), (b"origin", b"http://evil.example:8000")]
    scope: Scope = {"type": "websocket", "headers": headers}
    await HostGuard(_answer, LOOPBACK_HOSTS, Origins())(scope, receive, send)
    assert sent[0]["type"] == "websocket.http.response.start"
    assert sent[0]["status"] == 421


def test_host_names() -> None:
    assert [host_name(h) for h in ("A.example:80", "[::1]:80", "::1", "a")] == ["a.example", "::1", "", "a"]

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress

import pytest
from starlette.types import Receive, Scope, Send
from tests.edge.echo_server import PATIENCE_S, echo_server, listening, next_message

from threadline_server.edge.http_protocol import HttpProtocol, RequestBounds, bounded_by
from threadline_server.edge.websocket_protocol import WebSocketProtocol
from threadline_server.rooms.turns import Turns

QUICK = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.asyncio
async def test_an_open_socket_keeps_nothing_of_its_handshake() -> None:
    """Without the help of the cycle collector, which comes by when it likes."""
    async with echo_server() as server:
        gc.collect()
        gc.disable()
        try:
            async with server.client() as client:
                await client.send(b"x")
                await next_message(client)
                kept = [o for o in gc.get_objects() if isinstance(o, HttpProtocol | WebSocketProtocol)]
                assert kept == []
        finally:
            gc.enable()


async def respond(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the whole request, then answer it."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def answer(bounds: RequestBounds, *parts: bytes) -> bytes:
    """All that a server with these bounds says to a socket that sends `parts` and then waits."""
    async with listening(respond, bounded_by(bounds, Turns())) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
        said = b""
        with suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE_S):
                said = await reader.read()
        writer.close()
        return said


def bounds(head_s: float = 20.0, body_s: float = 20.0) -> RequestBounds:
    return RequestBounds(max_head_bytes=1_000, head_s=head_s, body_s=body_s)


@pytest.mark.asyncio
@pytest.mark.parametrize("begun", [b"", b"G", b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: aa"])
async def test_a_head_that_never_ends_is_given_up(begun: bytes) -> None:
    quick = bounds(head_s=0.05)
    assert (await answer(quick, begun)).startswith(b"HTTP/1.1 408 ")
    assert quick.stats()["requests_too_slow_total"] == 1


@pytest.mark.asyncio
async def test_a_body_that_never_ends_is_given_up() -> None:
    quick = bounds(body_s=0.05)
    begun = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx"
    assert await answer(quick, begun) == b""
    assert quick.stats()["requests_too_slow_total"] == 1


@pytest.mark.asyncio
async def test_an_endless_head_is_refused() -> None:
    small = bounds()
    said = await answer(small, b"GET / HTTP/1.1\r\nX-Long: ", *[b"a" * 60_000] * 50)
    assert said.startswith(b"HTTP/1.1 431 ") or said == b""  # a reset may overtake the words
    assert small.stats()["heads_too_large_total"] == 1


@pytest.mark.asyncio
async def test_few_requests_wait_for_the_one_before() -> None:
    crowded = bounds()
    assert b"HTTP/1.1 400 " in await answer(crowded, QUICK * 200)
    assert crowded.stats()["requests_waiting_refused_total"] == 1


@pytest.mark.asyncio
async def test_an_idle_socket_between_requests_is_uvicorns_to_end() -> None:
    async with listening(respond, bounded_by(bounds(head_s=0.05), Turns())) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(QUICK)
            async with asyncio.timeout(PATIENCE_S):
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204 ")
            await asyncio.sleep(0.1)  # longer than a head may take; nothing is being sent
        writer.close()


@pytest.mark.asyncio
async def test_requests_stand_in_line_behind_those_who_are_in() -> None:
    turns = Turns()
    async with listening(respond, bounded_by(bounds(), turns)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for part in (QUICK, QUICK[:9], QUICK[9:]):
            turns.note(turns.account_of("ada"), 10_000)
            turns.note(turns.door, 50_000_000)
            writer.write(part)
            await writer.drain()
            if part != QUICK[:9]:
                async with asyncio.timeout(PATIENCE_S):
                    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")
        assert turns.deferred_total > 0
        writer.close()

"""Addresses of clients: counted each, told by a proxy that is trusted, and never by anybody else."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from tests.app.conftest import guarded_node
from tests.raw_device import PATIENCE_S, websocket_url
from websockets.asyncio.client import ClientConnection, connect

ONE, OTHER = "203.0.113.7", "203.0.113.8"


def from_address(url: str, address: str) -> connect:
    """A socket as a proxy of this machine passes it on."""
    headers = {"X-Forwarded-For": address}
    return connect(websocket_url(url), additional_headers=headers, compression=None, proxy=None)


async def closed(socket: ClientConnection) -> tuple[int | None, str]:
    await asyncio.wait_for(socket.wait_closed(), PATIENCE_S)
    return socket.close_code, socket.close_reason or ""


@pytest.mark.asyncio
async def test_each_address_behind_a_trusted_proxy_has_its_own_bound(tmp_path: Path) -> None:
    limits = {"max_connections_per_address": 2, "trusted_proxies": ("127.0.0.1",)}
    async with guarded_node(tmp_path, **limits) as server, AsyncExitStack() as stack:
        first = [await stack.enter_async_context(from_address(server.url, ONE)) for _ in range(2)]
        third = await stack.enter_async_context(from_address(server.url, ONE))
        code, reason = await closed(third)
        assert (code, reason) == (1013, "overloaded: at most 2 connections from one address")
        await stack.enter_async_context(from_address(server.url, OTHER))
        assert (server.node.addresses.count(ONE), server.node.addresses.count(OTHER)) == (2, 1)
        await first[0].close()
        async with asyncio.timeout(PATIENCE_S):
            while server.node.addresses.count(ONE) > 1:  # noqa: ASYNC110  # the end of a socket has no event
                await asyncio.sleep(0)
        again = await stack.enter_async_context(from_address(server.url, ONE))
        assert again.close_code is None
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=server.url))
        metrics = (await client.get("/metrics")).text
        assert "threadline_addresses_refused_total 1.0" in metrics


@pytest.mark.asyncio
@pytest.mark.parametrize("proxies", [(), ("192.0.2.1",), ("10.0.0.0/8",)])
async def test_a_proxy_that_is_not_trusted_names_no_address(tmp_path: Path, proxies: tuple[str, ...]) -> None:
    limits = {"max_connections_per_address": 1, "trusted_proxies": proxies}
    async with guarded_node(tmp_path, **limits) as server, AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(from_address(server.url, ONE)) for _ in range(3)]
        assert all(socket.close_code is None for socket in sockets)
        assert server.node.addresses.count(ONE) == 0


@pytest.mark.asyncio
@pytest.mark.usefixtures("one_minute")
async def test_refused_requests_are_counted_for_the_address_that_the_proxy_names(tmp_path: Path) -> None:
    limits = {"refusals_per_minute": 3, "trusted_proxies": ("127.0.0.0/8",)}
    async with guarded_node(tmp_path, **limits) as server, httpx.AsyncClient(base_url=server.url) as client:

        async def asked(address: str) -> httpx.Response:
            headers = {"X-Forwarded-For": address, "Authorization": "Bearer wrong"}
            return await client.get("/api/v1/sessions", headers=headers)

        answers = [await asked(ONE) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [401] * 3 + [429] * 2
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        assert (await asked(OTHER)).status_code == 401
        # What a client itself puts in front of the proxy's word is not believed.
        assert (await asked(f"{OTHER}, {ONE}")).status_code == 429

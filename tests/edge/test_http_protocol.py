from __future__ import annotations

import gc

import pytest
from tests.edge.echo_server import echo_server, next_message

from threadline_server.edge.http_protocol import HttpProtocol
from threadline_server.edge.websocket_protocol import WebSocketProtocol


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

"""uvicorn's HTTP protocol class, which leaves no garbage behind where a socket becomes a WebSocket."""

from __future__ import annotations

from typing import cast

from httptools import HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class HttpProtocol(HttpToolsProtocol):
    """Protocol and parser hold each other: four kilobytes a device, until the cycle collector comes by."""

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        self.parser = cast(HttpRequestParser, None)

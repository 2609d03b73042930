"""The WebSocket handshake as bytes: the request that uvicorn hands over, and the answers to it.

Source: RFC 6455, section 4. uvicorn has parsed the request once and writes it again, so its shape is known.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote

from websockets.utils import accept_key

Headers = list[tuple[bytes, bytes]]

_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class BadHandshake(Exception):
    """Not a WebSocket request of version 13; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """One request. `path` is percent-decoded, `raw_path` and `query` as they came; names are lower case."""

    path: str
    raw_path: bytes
    query: bytes
    headers: Headers
    key: str

    @property
    def subprotocols(self) -> list[str]:
        offered = b",".join(value for name, value in self.headers if name == b"sec-websocket-protocol")
        return [name.strip() for name in offered.decode("latin-1").split(",") if name.strip()]


def parse_handshake(request: bytes) -> Handshake:
    """Raises BadHandshake."""
    lines = request.removesuffix(b"\r\n\r\n").split(b"\r\n")
    method, _, rest = lines[0].partition(b" ")
    target = rest.rpartition(b" ")[0]
    if method != b"GET" or not target:
        raise BadHandshake("A WebSocket begins with a GET request.")
    headers: Headers = []
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        headers.append((name.lower(), value.strip()))
    raw_path, _, query = target.partition(b"?")
    return Handshake(unquote(raw_path.decode("latin-1")), raw_path, query, headers, _checked_key(headers))


def _checked_key(headers: Headers) -> str:
    version = [value for name, value in headers if name == b"sec-websocket-version"]
    if version != [b"13"]:
        raise BadHandshake("Only version 13 of the WebSocket protocol is spoken here.")
    keys = [value for name, value in headers if name == b"sec-websocket-key"]
    try:
        valid = len(keys) == 1 and len(base64.b64decode(keys[0], validate=True)) == 16
    except binascii.Error:
        valid = False
    if not valid:
        raise BadHandshake("The Sec-WebSocket-Key is missing or not 16 bytes in base64.")
    return keys[0].decode("ascii")


def accept_response(
    key: str, headers: Iterable[tuple[bytes, bytes]] = (), subprotocol: str | None = None
) -> bytes:
    """The 101 answer."""
    lines = [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
        b"Sec-WebSocket-Accept: ",
        accept_key(key).encode(),
        b"\r\n",
    ]
    if subprotocol is not None:
        lines.append(b"Sec-WebSocket-Protocol: " + subprotocol.encode("latin-1") + b"\r\n")
    lines += [name + b": " + value + b"\r\n" for name, value in headers]
    return b"".join([*lines, b"\r\n"])


def plain_response(status: int, headers: Iterable[tuple[bytes, bytes]] = (), body: bytes = b"") -> bytes:
    """A refusal as HTTP, after which the connection ends."""
    phrase = _PHRASES.get(status, "")
    head = f"HTTP/1.1 {status} {phrase}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
    lines = [name + b": " + value + b"\r\n" for name, value in headers if name.lower() != b"content-length"]
    return b"".join([head.encode("latin-1"), *lines, b"\r\n", body])

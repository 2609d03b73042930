from __future__ import annotations

import pytest

from threadline_server.edge.handshake import BadHandshake, accept_response, parse_handshake, plain_response

# The key and its answer are the example of RFC 6455, section 1.3.
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="


def request(*lines: bytes, target: bytes = b"/sync", method: bytes = b"GET") -> bytes:
    return b"\r\n".join([method + b" " + target + b" HTTP/1.1", *lines, b"", b""])


def test_a_request_is_read() -> None:
    handshake = parse_handshake(
        request(
            b"Host: localhost",
            b"sec-websocket-version: 13",
            b"Sec-WebSocket-Key: " + KEY,
            b"sec-websocket-protocol: one, two",
            b"sec-websocket-protocol: three",
            target=b"/sync/my%20room?token=a%20b",
        )
    )
    assert handshake.path == "/sync/my room"
    assert handshake.raw_path == b"/sync/my%20room"
    assert handshake.query == b"token=a%20b"
    assert handshake.headers[0] == (b"host", b"localhost")
    assert handshake.subprotocols == ["one", "two", "three"]


def test_the_answer_is_that_of_the_rfc() -> None:
    response = accept_response(KEY.decode(), [(b"x-a", b"b")], "one")
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in response
    assert b"Sec-WebSocket-Protocol: one\r\nx-a: b\r\n\r\n" in response


@pytest.mark.parametrize(
    "lines",
    [
        [b"sec-websocket-key: " + KEY],
        [b"sec-websocket-version: 8", b"sec-websocket-key: " + KEY],
        [b"sec-websocket-version: 13"],
        [b"sec-websocket-version: 13", b"sec-websocket-key: short"],
        [b"sec-websocket-version: 13", b"sec-websocket-key: " + KEY, b"sec-websocket-key: " + KEY],
    ],
)
def test_bad_requests(lines: list[bytes]) -> None:
    with pytest.raises(BadHandshake):
        parse_handshake(request(*lines))


def test_only_get() -> None:
    with pytest.raises(BadHandshake):
        parse_handshake(request(b"sec-websocket-version: 13", b"sec-websocket-key: " + KEY, method=b"POST"))


def test_a_refusal_states_its_length_once() -> None:
    response = plain_response(403, [(b"Content-Length", b"99"), (b"x-a", b"b")], b"no")
    assert response == b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\nx-a: b\r\n\r\nno"

"""Keys that an issuer publishes over HTTP: fetched when needed, changed without a restart, bounded."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog.testing
from joserfc.jwk import OctKey, OKPKey, RSAKey
from tests.app.conftest import api_of
from tests.signing import claims_of, sign

from threadline.errors import Unauthorized
from threadline_server.app import running_server
from threadline_server.edge.jwks import AGAIN_S, KEPT_S, MAX_BYTES, PublishedKeys
from threadline_server.edge.token_keys import Key
from threadline_server.settings import load


@dataclass
class Issuer:
    """A server on this machine; `asked` counts the times its keys were fetched."""

    url: str = ""
    keys: dict[str, Key] = field(default_factory=dict)
    body: bytes | None = None
    status: str = "200 OK"
    asked: int = 0

    def document(self) -> bytes:
        published = [
            {**key.as_dict(private=key.key_type == "oct"), "kid": key_id} for key_id, key in self.keys.items()
        ]
        return json.dumps({"keys": published}).encode() if self.body is None else self.body

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        body = self.document()
        head = f"HTTP/1.1 {self.status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        with contextlib.suppress(ConnectionError):  # a body that is too long is not read to its end
            await writer.drain()
        writer.close()


@asynccontextmanager
async def issuer() -> AsyncIterator[Issuer]:
    made = Issuer()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    async with server:
        made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
        yield made


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def token_by(key: Any, key_id: str, algorithm: str = "EdDSA", user: str = "ada") -> str:
    return sign(claims_of(user), key, algorithm, kid=key_id)


@pytest.mark.asyncio
async def test_a_node_goes_by_the_keys_that_its_issuer_publishes(tmp_path: Path) -> None:
    old, new, rsa, foreign = (
        OKPKey.generate_key("Ed25519"),
        OKPKey.generate_key("Ed25519"),
        RSAKey.generate_key(2048),
        OKPKey.generate_key("Ed25519"),
    )
    async with issuer() as idp:
        idp.keys = {"2025": old, "rsa": rsa}
        settings = load({"port": 0, "auth": "token", "auth_jwks_url": idp.url, "data": tmp_path}, {})
        async with running_server(settings) as server:
            statuses = []
            for token in (
                token_by(old, "2025"),
                token_by(rsa, "rsa", "RS256"),
                token_by(foreign, "2025"),
                token_by(new, "2026"),
                token_by(OctKey.import_key(b"x" * 64), "rsa", "HS256"),
            ):
                async with api_of(server, "", token=token) as client:
                    statuses.append((await client.get("/api/v1/sessions")).status_code)
            assert statuses == [200, 200, 401, 401, 401]
            assert idp.asked == 1, "strangers make nobody fetch"


@pytest.mark.asyncio
async def test_a_changed_key_is_found_and_an_old_one_ends() -> None:
    old, new = OKPKey.generate_key("Ed25519"), OKPKey.generate_key("Ed25519")
    async with issuer() as idp:
        clock = Clock()
        keys = PublishedKeys(idp.url, clock)
        idp.keys = {"2025": old}
        assert await keys.find("2025", "EdDSA")
        idp.keys = {"2025": old, "2026": new}
        with pytest.raises(Unauthorized):
            await keys.find("2026", "EdDSA")
        clock.now_s += AGAIN_S
        await asyncio.gather(*(keys.find("2026", "EdDSA") for _ in range(20)))
        assert idp.asked == 2
        idp.keys = {"2026": new}
        clock.now_s += KEPT_S + 1
        with pytest.raises(Unauthorized):
            await keys.find("2025", "EdDSA")


@pytest.mark.asyncio
async def test_while_the_issuer_is_away_its_last_keys_are_good() -> None:
    key = OKPKey.generate_key("Ed25519")
    clock = Clock()
    async with issuer() as idp:
        idp.keys = {"k": key}
        keys = PublishedKeys(idp.url, clock)
        await keys.find("k", "EdDSA")
        for status, body in (
            ("500 Internal Server Error", b"{}"),
            ("302 Found", b""),
            ("200 OK", b"no JSON"),
            ("200 OK", b'{"keys": []}'),
            ("200 OK", b" " * (MAX_BYTES + 1)),
        ):
            idp.status, idp.body = status, body
            clock.now_s += KEPT_S + 1
            with structlog.testing.capture_logs() as logs:
                assert await keys.find("k", "EdDSA")
            assert [line["event"] for line in logs] == ["the issuer's keys could not be fetched"], body[:20]
    clock.now_s += KEPT_S + 1
    assert await keys.find("k", "EdDSA")
    with pytest.raises(Unauthorized, match="later"):
        await PublishedKeys(idp.url, clock).find("k", "EdDSA")

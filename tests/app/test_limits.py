"""Each bound on what one user may use, at a whole node: what is beyond it is refused by name."""

from __future__ import annotations

import asyncio
import ssl
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import httpx
import pytest
from tests.app.conftest import api_of, device_of, ended, guarded_node
from tests.raw_device import PATIENCE_S, RawDevice
from tests.server_process import clean_environment
from tests.signing import SECRET, token_of


@pytest.mark.asyncio
async def test_documents_open_at_once_for_one_user(tmp_path: Path) -> None:
    async with guarded_node(tmp_path, max_connections_per_user=3) as server, AsyncExitStack() as stack:
        first = [await stack.enter_async_context(device_of(server, "trip", "ada")) for _ in range(3)]
        more = RawDevice("trip", "ada", token=token_of("ada"))
        await more.join(server.url)
        assert await asyncio.wait_for(more.until_closed(), PATIENCE_S) == 1013
        assert "at most 3 documents" in more.close_reason
        await more.leave()
        async with device_of(server, "other", "bob"):
            pass
        await first[0].leave()
        async with asyncio.timeout(PATIENCE_S):
            while server.node.users.count("ada") > 2:  # noqa: ASYNC110  # the end of a socket has no event here
                await asyncio.sleep(0)
        async with device_of(server, "trip", "ada"):
            pass


@pytest.mark.asyncio
async def test_sessions_that_one_user_owns(tmp_path: Path) -> None:
    async with guarded_node(tmp_path, max_sessions_per_user=2) as server:
        async with api_of(server, "ada") as ada:
            made = [(await ada.post("/api/v1/sessions", json={})).status_code for _ in range(3)]
            assert made == [201, 201, 429]
        device = RawDevice("third", "ada", token=token_of("ada"))
        await device.join(server.url)
        await device.until(lambda: device.denied is not None)
        assert str(device.denied).startswith("quota_exceeded")
        await device.leave()
        async with api_of(server, "bob") as bob:
            assert (await bob.post("/api/v1/sessions", json={})).status_code == 201


@pytest.mark.asyncio
async def test_a_session_as_large_as_one_may_be(tmp_path: Path) -> None:
    async with guarded_node(tmp_path, max_session_bytes=50_000) as server:
        async with device_of(server, "trip", "ada") as ada:
            for number in range(20):
                await ada.set(f"/{number}", "x" * 10_000)
                await ada.until(lambda: ada.acknowledged == ada.sent or ada.document_closed is not None)
                if ada.document_closed is not None:
                    break
            assert await ended(ada) == "quota_exceeded"
        async with device_of(server, "trip", "ada") as again:
            assert 3 <= len(again.state) <= 8


@pytest.mark.asyncio
@pytest.mark.usefixtures("one_minute")
async def test_requests_a_minute(tmp_path: Path) -> None:
    async with guarded_node(tmp_path, requests_per_minute=5) as server, api_of(server, "ada") as ada:
        found = [(await ada.get("/api/v1/sessions")).status_code for _ in range(7)]
        assert found == [200] * 5 + [429] * 2
        async with api_of(server, "bob") as bob:
            assert (await bob.get("/api/v1/sessions")).status_code == 200
        async with httpx.AsyncClient(base_url=server.url) as client:
            metrics = (await client.get("/metrics")).text
        for name in ("users_refused_total", "addresses_refused_total", "access_ended_total"):
            assert f"threadline_{name}" in metrics


@pytest.mark.asyncio
async def test_https_with_a_certificate(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    await anyio.run_process(
        [*make, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    )
    async with guarded_node(tmp_path / "data", tls_certificate=certificate, tls_key=key) as server:
        assert server.url.startswith("https://")
        trusted = ssl.create_default_context(cafile=str(certificate))
        headers = {"Authorization": f"Bearer {token_of('ada')}"}
        async with httpx.AsyncClient(base_url=server.url, verify=trusted, headers=headers) as client:
            assert (await client.get("/api/v1/sessions")).status_code == 200


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--host", "0.0.0.0"), "--auth token"),
        (("--auth", "token"), "THREADLINE_AUTH_SECRET"),
        (("--auth", "token", "--auth-secret", "changeme"), "32 bytes"),
        (("--auth-secret", SECRET), "Add --auth token"),
        (("--tls-key", "key.pem"), "go together"),
        (("--auth", "token", "--auth-jwks-url", "http://idp.example/keys"), "https URL"),
        (("--trusted-proxies", "everyone"), "a network"),
    ],
)
async def test_what_is_not_safe_does_not_start(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    program = (sys.executable, "-m", "threadline_server", "serve", "--port", "0", *arguments)
    done = await anyio.run_process(program, check=False, env=clean_environment(), cwd=tmp_path)
    told = " ".join((done.stdout + done.stderr).decode().split())
    assert done.returncode in (2, 3)
    assert says in told
    assert SECRET not in told

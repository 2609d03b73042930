"""Before anybody has said who they are: what a stranger gets, and from where one may come."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from tests.app.conftest import api_of, device_of, guarded_node
from tests.raw_device import PATIENCE_S, websocket_url
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from threadline.protocol import hocuspocus
from threadline.protocol.sync import SyncStep1
from threadline.protocol.ywebsocket import QueryAwareness


@pytest.mark.asyncio
async def test_a_socket_without_a_token_gets_not_one_byte(tmp_path: Path) -> None:
    async with (
        guarded_node(tmp_path, authentication_deadline_s=1.0) as server,
        device_of(server, "trip", "ada") as ada,
    ):
        await ada.set("/secret", "words")
        await ada.until_saved()
        received: list[bytes | str] = []
        async with connect(websocket_url(server.url), compression=None, proxy=None) as socket:
            await socket.send(hocuspocus.encode("trip", SyncStep1(b"\x00")))
            await socket.send(hocuspocus.encode("trip", QueryAwareness()))
            with pytest.raises(ConnectionClosed):
                async with asyncio.timeout(PATIENCE_S):
                    while True:
                        received.append(await socket.recv())
            assert (received, socket.close_code) == ([], 4507)


FOREIGN = (
    "http://evil.example",
    "https://evil.example",
    "null",
    "http://127.0.0.1",
    "http://127.0.0.1:1",
    "http://localhost",
    "https://app.example.evil.com",
    "https://evil-app.example",
    "http://app.example",
    "https://app.example:444",
    "file://",
)


@pytest.mark.asyncio
async def test_of_twelve_origins_one_is_taken(tmp_path: Path) -> None:
    async with guarded_node(tmp_path, allowed_origins=("https://app.example",)) as server:
        for origin in FOREIGN:
            with pytest.raises(InvalidStatus) as caught:
                await connect(websocket_url(server.url), origin=Origin(origin), proxy=None)
            assert caught.value.response.status_code == 403, origin
            async with api_of(server, "ada") as client:
                answer = await client.post("/api/v1/sessions", headers={"Origin": origin}, json={})
                assert answer.status_code == 403, origin
                assert not [name for name in answer.headers if name.startswith("access-control")]
        async with connect(
            websocket_url(server.url), origin=Origin("https://app.example"), compression=None, proxy=None
        ):
            pass


@pytest.mark.asyncio
async def test_what_was_decided_about_people_is_written_down(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    async with guarded_node(tmp_path / "data", audit_file=log) as server, api_of(server, "ada") as ada:
        await ada.post("/api/v1/sessions", json={"id": "trip", "title": "Secret title"})
        await ada.put("/api/v1/sessions/trip/members/bob", json={"role": "viewer"})
        made = (await ada.post("/api/v1/sessions/trip/invitations", json={})).json()
        key = (await ada.post("/api/v1/keys", json={"label": "nightly"})).json()
        await ada.delete(f"/api/v1/keys/{key['id']}")
        await ada.delete("/api/v1/sessions/trip")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["event"] for line in lines] == [
        "member.changed",
        "invitation.made",
        "key.made",
        "key.revoked",
        "session.deleted",
    ]
    assert {line["by"] for line in lines} == {"ada"}
    written = log.read_text()
    assert not any(secret in written for secret in (made["code"], key["token"], "Secret title"))
    assert log.stat().st_mode & 0o077 == 0

"""Tokens, roles and invitations against a whole node: what is let in, what ends, and when."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx
import pytest
from joserfc.jwk import OctKey
from tests.app.conftest import api_of, device_of, ended, guarded_node
from tests.raw_device import PATIENCE_S, RawDevice, until_equal, websocket_url
from tests.signing import claims_of, sign, token_of
from websockets.asyncio.client import connect

from threadline_server.app import RunningServer


async def closed_socket(url: str) -> tuple[int | None, str]:
    """How the server ended a socket that only listens."""
    async with connect(url, compression=None, proxy=None) as socket:
        await asyncio.wait_for(socket.wait_closed(), PATIENCE_S)
        return socket.close_code, socket.close_reason or ""


async def session_with(server: RunningServer, **members: str) -> None:
    """`trip`, owned by ada, shared with others."""
    async with api_of(server, "ada") as ada:
        await ada.post("/api/v1/sessions", json={"id": "trip"})
        for user, role in members.items():
            answer = await ada.put(f"/api/v1/sessions/trip/members/{user}", json={"role": role})
            assert answer.status_code == 200, answer.text


@pytest.mark.asyncio
async def test_strangers_see_and_change_nothing(tmp_path: Path) -> None:
    async with guarded_node(tmp_path) as server:
        await session_with(server)
        async with api_of(server, "eve") as eve:
            assert (await eve.get("/api/v1/sessions")).json()["sessions"] == []
            for method, path in (
                ("GET", "trip"),
                ("GET", "trip/history"),
                ("GET", "trip/runs"),
                ("GET", "trip/stream"),
                ("GET", "trip/members"),
                ("PUT", "trip/members/eve"),
                ("POST", "trip/invitations"),
                ("POST", "trip/runs"),
                ("POST", "trip/cancel"),
                ("PATCH", "trip"),
                ("DELETE", "trip"),
            ):
                body = {"goal": "x"} if path == "trip/runs" else {"role": "owner"} if "eve" in path else {}
                answer = await eve.request(method, f"/api/v1/sessions/{path}", json=body or None)
                assert answer.status_code in (403, 422), (method, path, answer.text)
        stranger = RawDevice("trip", "eve", token=token_of("eve"))
        await stranger.join(server.url)
        await stranger.until(lambda: stranger.denied is not None)
        assert str(stranger.denied).startswith("forbidden")
        assert len(stranger.frames) == 1
        await stranger.leave()
        async with httpx.AsyncClient(base_url=server.url) as nobody:
            for path in ("sessions", "sessions/trip", "keys"):
                assert (await nobody.get(f"/api/v1/{path}")).status_code == 401


@pytest.mark.asyncio
async def test_a_revoked_member_is_out_and_the_others_stay(tmp_path: Path) -> None:
    async with guarded_node(tmp_path) as server:
        await session_with(server, bob="editor")
        async with device_of(server, "trip", "bob") as bob, device_of(server, "trip", "ada") as ada:
            await bob.set("/city", "Berlin")
            await bob.until_saved()
            async with api_of(server, "ada") as owner:
                gone = await owner.delete("/api/v1/sessions/trip/members/bob")
                assert gone.status_code == 204
            assert await ended(bob) == "forbidden"
            await ada.set("/still", "here")
            await ada.until_saved()
            assert ada.document_closed is None


@pytest.mark.asyncio
async def test_a_member_made_a_viewer_reads_on_and_writes_nothing(tmp_path: Path) -> None:
    async with guarded_node(tmp_path) as server:
        await session_with(server, bob="editor")
        async with device_of(server, "trip", "bob") as bob, device_of(server, "trip", "ada") as ada:
            await bob.set("/city", "Berlin")
            await until_equal(ada, bob)
            async with api_of(server, "ada") as owner:
                await owner.put("/api/v1/sessions/trip/members/bob", json={"role": "viewer"})
            await bob.until(lambda: bob.scopes == ["read-write", "readonly"], "the role was told")
            await bob.set("/city", "Paris")
            await bob.until(lambda: bob.refused == 1, "the write was refused")
            await ada.set("/day", 1)
            await bob.until(lambda: bob.state.get("/day") == 1, "a viewer reads on")
            assert ada.state["/city"] == "Berlin"
            async with api_of(server, "bob") as viewer:
                for method, path, body in (
                    ("PATCH", "", {"title": "mine"}),
                    ("POST", "/runs", {"goal": "x"}),
                    ("DELETE", "", None),
                    ("POST", "/invitations", {}),
                ):
                    answer = await viewer.request(method, f"/api/v1/sessions/trip{path}", json=body)
                    assert answer.status_code == 403, (method, path, answer.text)


@pytest.mark.asyncio
async def test_an_invitation_lets_in_as_many_as_it_says(tmp_path: Path) -> None:
    async with guarded_node(tmp_path) as server:
        await session_with(server)
        async with api_of(server, "ada") as ada:
            made = (
                await ada.post("/api/v1/sessions/trip/invitations", json={"role": "viewer", "uses": 2})
            ).json()
            accepted = await asyncio.gather(*(accept(server, f"user-{n}", made["code"]) for n in range(6)))
            assert sorted(accepted) == [200, 200, 403, 403, 403, 403]
            members = (await ada.get("/api/v1/sessions/trip/members")).json()["members"]
            assert [member["role"] for member in members] == ["owner", "viewer", "viewer"]
            another = (await ada.post("/api/v1/sessions/trip/invitations", json={})).json()
            listed = (await ada.get("/api/v1/sessions/trip/invitations")).json()["invitations"]
            assert [each["id"] for each in listed] == [another["id"]]
            assert another["code"].rpartition("/")[2] not in str(listed)
            await ada.delete(f"/api/v1/sessions/trip/invitations/{another['id']}")
            assert await accept(server, "late", another["code"]) == 403
            for guess in ("trip/x/y", "trip", "", f"trip/{another['id']}/guess", "other" + made["code"][4:]):
                assert await accept(server, "eve", guess) == 403


async def accept(server: RunningServer, user: str, code: str) -> int:
    async with api_of(server, user) as client:
        return (await client.post("/api/v1/invitations/accept", json={"code": code})).status_code


@pytest.mark.asyncio
async def test_an_invitation_takes_no_role_away(tmp_path: Path) -> None:
    async with guarded_node(tmp_path) as server:
        await session_with(server, bob="editor")
        async with api_of(server, "ada") as ada, api_of(server, "bob") as bob:
            made = (await ada.post("/api/v1/sessions/trip/invitations", json={"role": "viewer"})).json()
            joined = await bob.post("/api/v1/invitations/accept", json={"code": made["code"]})
            assert joined.json()["role"] == "editor"


@pytest.mark.asyncio
async def test_a_document_ends_with_its_token(tmp_path: Path) -> None:
    async with guarded_node(tmp_path) as server:
        now_s = int(time.time())
        async with device_of(server, "trip", "ada", iat=now_s, exp=now_s + 2) as ada:
            assert await ended(ada) == "unauthorized"
            assert time.time() - (now_s + 2) < 5


@pytest.mark.asyncio
async def test_a_fresh_token_keeps_a_document_open(tmp_path: Path) -> None:
    """The server asks for it on the open document; the device does not notice otherwise."""
    async with guarded_node(tmp_path) as server:
        now_s = int(time.time())
        device = RawDevice("trip", "ada", token=token_of("ada", exp=now_s + 3))
        await device.join(server.url)
        device.token = token_of("ada", exp=now_s + 3600)
        await device.until(lambda: len(device.scopes) == 2, "the fresh token was taken")
        async with device_of(server, "trip", "ada", exp=now_s + 4) as other:
            await ended(other)
        await device.set("/still", "here")
        await device.until_saved()
        assert device.document_closed is None
        await device.leave()


@pytest.mark.asyncio
@pytest.mark.parametrize("subject", ["token", "device", "user"])
async def test_what_is_revoked_ends_at_once(tmp_path: Path, subject: str) -> None:
    claims = {"jti": "t-1", "device": "d-1", "iat": int(time.time()) - 10}
    name = {"token": "t-1", "device": "d-1", "user": "ada"}[subject]
    async with guarded_node(tmp_path, operators=("root",)) as server:
        async with device_of(server, "trip", "ada", **claims) as ada, api_of(server, "root") as root:
            async with api_of(server, "eve") as eve:
                body = {"subject": subject, "name": name}
                assert (await eve.post("/api/v1/revocations", json=body)).status_code == 403
            assert (await root.post("/api/v1/revocations", json=body)).status_code == 204
            assert await ended(ada) == "unauthorized"
            again = RawDevice("trip", "ada", token=token_of("ada", **claims))
            await again.join(server.url)
            await again.until(lambda: again.denied is not None)
            await again.leave()
        async with device_of(server, "trip", "ada", iat=int(time.time()) + 2):
            pass


@pytest.mark.asyncio
async def test_a_key_of_a_service_works_until_it_is_revoked(tmp_path: Path) -> None:
    async with guarded_node(tmp_path) as server, api_of(server, "ada") as ada:
        made = (await ada.post("/api/v1/keys", json={"label": "nightly"})).json()
        assert made["token"] not in str((await ada.get("/api/v1/keys")).json())
        async with api_of(server, "", token=made["token"]) as service:
            created = await service.post("/api/v1/sessions", json={"id": "trip"})
            assert created.json()["owner"] == "ada"
        device = RawDevice("trip", "ada", token=made["token"])
        await device.join(server.url)
        await device.until_synced()
        async with api_of(server, "eve") as eve:
            assert (await eve.delete(f"/api/v1/keys/{made['id']}")).status_code == 404
        assert (await ada.delete(f"/api/v1/keys/{made['id']}")).status_code == 204
        assert await ended(device) == "unauthorized"
        await device.leave()
        wrong = made["token"][:-2] + "xx"
        for token in (made["token"], wrong, "tlk_", "tlk_x_y"):
            async with api_of(server, "", token=token) as service:
                assert (await service.get("/api/v1/sessions")).status_code == 401


@pytest.mark.asyncio
async def test_an_address_takes_a_ticket_once_and_no_token(tmp_path: Path) -> None:
    async with guarded_node(tmp_path) as server, api_of(server, "ada") as ada:
        ticket = (await ada.post("/api/v1/tickets")).json()["ticket"]
        path = f"/sync/trip?token={ticket}"
        async with connect(websocket_url(server.url, path), compression=None, proxy=None) as socket:
            assert await asyncio.wait_for(socket.recv(), PATIENCE_S)
            assert await closed_socket(websocket_url(server.url, path)) == (
                4401,
                "unauthorized: This ticket was used or is too old; ask for another one.",
            )
        code, reason = await closed_socket(websocket_url(server.url, f"/sync/trip?token={token_of('ada')}"))
        assert (code, reason.partition(":")[0]) == (4401, "unauthorized")
        async with httpx.AsyncClient(base_url=server.url) as client:
            answer = await client.get("/api/v1/sessions", params={"token": token_of("ada")})
            assert answer.status_code == 401


@pytest.mark.asyncio
async def test_tokens_of_another_key_are_refused(tmp_path: Path) -> None:
    forged = sign(claims_of("ada"), OctKey.generate_key(512))
    async with guarded_node(tmp_path) as server, api_of(server, "", token=forged) as eve:
        assert (await eve.get("/api/v1/sessions")).status_code == 401
        device = RawDevice("trip", "ada", token=forged)
        await device.join(server.url)
        await device.until(lambda: device.denied is not None)
        assert len(device.frames) == 1
        await device.leave()

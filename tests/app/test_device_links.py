"""Linking a device: the rules of RFC 8628 against a whole node, over HTTP, the SDK and several nodes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from tests.app.conftest import api_of, ended, guarded_node
from tests.raw_device import PATIENCE_S, RawDevice
from tests.signing import token_of

import threadline
from threadline.devices import DeviceLink, LinkedDevice, link_device
from threadline.errors import ThreadlineError
from threadline_server.app import RunningServer
from threadline_server.edge.device_links import CODE_CHARS
from threadline_server.edge.pairing import ALPHABET, new_code

FAST = {"link_poll_s": 0.01}


async def claimed_by(server: RunningServer, code: str, device: str = "Pixel 9") -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.url) as nobody:
        body = {"code": code, "device": device}
        return await nobody.post("/api/v1/device-links/claim", json=body)


async def exchanged(server: RunningServer, claim: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.url) as nobody:
        return await nobody.post("/api/v1/device-links/exchange", json={"claim": claim})


def test_codes_have_more_than_fifty_bits() -> None:
    assert len(ALPHABET) ** CODE_CHARS > 2**58
    codes = {new_code(CODE_CHARS) for _ in range(200)}
    assert len(codes) == 200
    assert all(set(code) <= {*ALPHABET, "-"} and len(code) == CODE_CHARS + 2 for code in codes)


@pytest.mark.asyncio
async def test_a_phone_is_linked_used_listed_and_revoked(
    tmp_path: Path, figures: Callable[[str], None]
) -> None:
    async with (
        guarded_node(tmp_path, **FAST) as server,
        threadline.connect(server.url, token=token_of("ada"), device="Laptop") as laptop,
    ):
        session = await laptop.open("trip")
        session["city"] = "Berlin"
        await session.saved(PATIENCE_S)
        linked = await linked_phone(server, await laptop.devices.link("trip"))
        assert (linked.user, linked.session) == ("ada", "trip")
        phone = RawDevice(linked.session, "ada", token=linked.token)
        await phone.join(server.url)
        await phone.until(lambda: phone.state.get("/city") == "Berlin")
        (device,) = await laptop.devices.list()
        assert (device.label, device.kind, device.current) == ("Pixel 9", "device", False)
        began_s = time.monotonic()
        await laptop.devices.revoke(device.id)
        assert await ended(phone) == "unauthorized"
        figures(f"a signed off device was out after {time.monotonic() - began_s:.2f} s")
        await phone.leave()
        async with api_of(server, "", token=linked.token) as gone:
            assert (await gone.get("/api/v1/sessions")).status_code == 401
        assert session.is_live


async def linked_phone(server: RunningServer, link: DeviceLink) -> LinkedDevice:
    """What a phone has that typed the code carelessly, once the laptop has confirmed."""
    numbers: list[str] = []
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
        typed = link.code.lower().replace("-", " ")
        phone = tasks.create_task(link_device(server.url, typed, "Pixel 9", numbers.append))
        await link.claimed()
        assert (link.device, [link.number]) == ("Pixel 9", numbers)
        await link.confirm()
    return phone.result()


@pytest.mark.asyncio
async def test_a_code_is_good_once_and_a_claim_too(tmp_path: Path) -> None:
    async with guarded_node(tmp_path) as server, api_of(server, "ada") as ada:
        made = (await ada.post("/api/v1/device-links", json={})).json()
        answers = await asyncio.gather(*(claimed_by(server, made["code"], f"device {n}") for n in range(6)))
        assert sorted(answer.status_code for answer in answers) == [200] + [401] * 5
        (claim,) = [answer.json()["claim"] for answer in answers if answer.status_code == 200]
        assert (await exchanged(server, claim)).json()["stage"] == "claimed"
        await ada.post(f"/api/v1/device-links/{made['id']}/confirm")
        found = await asyncio.gather(*(exchanged(server, claim) for _ in range(4)))
        assert sorted(answer.status_code for answer in found) == [200, 401, 401, 401]
        refused = next(answer for answer in found if answer.status_code == 401)
        assert refused.json()["error"]["code"] == "expired_token"
        assert (await ada.get(f"/api/v1/device-links/{made['id']}")).status_code == 404


@pytest.mark.asyncio
async def test_without_a_yes_there_is_no_token(tmp_path: Path) -> None:
    async with guarded_node(tmp_path) as server, api_of(server, "ada") as ada, api_of(server, "eve") as eve:
        made = (await ada.post("/api/v1/device-links", json={})).json()
        path = f"/api/v1/device-links/{made['id']}"
        assert (await ada.post(f"{path}/confirm")).status_code == 409
        claim = (await claimed_by(server, made["code"])).json()["claim"]
        for method, part in (("GET", ""), ("POST", "/confirm"), ("DELETE", "")):
            assert (await eve.request(method, path + part)).status_code == 404
        for forged in (claim[:-2] + "xx", f"{made['id']}.", made["id"], "", "x.y"):
            assert (await exchanged(server, forged)).status_code == 401
        assert (await ada.delete(path)).status_code == 204
        answer = await exchanged(server, claim)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "access_denied")
        assert (await ada.post(f"{path}/confirm")).status_code == 409
        with pytest.raises(ThreadlineError) as caught:
            await link_device(server.url, made["code"], "Pixel 9")
        assert caught.value.code == "expired_token"
        assert (await ada.get("/api/v1/keys")).json()["keys"] == []


@pytest.mark.asyncio
@pytest.mark.usefixtures("one_minute")
async def test_guesses_are_counted_and_codes_end(tmp_path: Path) -> None:
    limits = {"link_tries_per_minute": 5}
    async with guarded_node(tmp_path / "one", **limits) as server, api_of(server, "ada") as ada:
        made = [(await ada.post("/api/v1/device-links", json={})).status_code for _ in range(6)]
        assert made == [201] * 5 + [429]
        answers = [await claimed_by(server, new_code(CODE_CHARS)) for _ in range(7)]
        assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 2
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    async with guarded_node(tmp_path / "two", link_life_s=0.01) as server, api_of(server, "ada") as ada:
        late = (await ada.post("/api/v1/device-links", json={})).json()
        async with asyncio.timeout(PATIENCE_S):
            while (await ada.get(f"/api/v1/device-links/{late['id']}")).status_code != 404:
                pass
        assert (await claimed_by(server, late["code"])).status_code == 401


@pytest.mark.asyncio
async def test_whoever_was_revoked_meanwhile_links_nothing(tmp_path: Path) -> None:
    async with guarded_node(tmp_path) as server, api_of(server, "ada", token_of("ada", jti="t-1")) as ada:
        made = (await ada.post("/api/v1/device-links", json={})).json()
        claim = (await claimed_by(server, made["code"])).json()["claim"]
        await ada.post(f"/api/v1/device-links/{made['id']}/confirm")
        await ada.post("/api/v1/revocations", json={"subject": "token", "name": "t-1"})
        assert (await exchanged(server, claim)).status_code == 401


@pytest.mark.asyncio
async def test_a_code_of_one_session_is_made_by_its_members(tmp_path: Path) -> None:
    async with guarded_node(tmp_path) as server, api_of(server, "ada") as ada, api_of(server, "eve") as eve:
        await ada.post("/api/v1/sessions", json={"id": "trip"})
        assert (await eve.post("/api/v1/device-links", json={"session": "trip"})).status_code == 403
        async with httpx.AsyncClient(base_url=server.url) as nobody:
            assert (await nobody.post("/api/v1/device-links", json={})).status_code == 401

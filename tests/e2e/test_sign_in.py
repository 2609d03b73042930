"""Signing in with a token in the page, renewing it in time, and what one sees once it has ended."""

from __future__ import annotations

import json
import time

import pytest
from playwright.async_api import WebSocket, expect
from tests.e2e.axe import violations_light_and_dark
from tests.e2e.browser_device import TIMEOUT_MS, BrowserDevice
from tests.e2e.conftest import Devices
from tests.signing import token_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def sign_in(device: BrowserDevice, token: str, *, stay: bool = False) -> None:
    await device.by("token-input").fill(token)
    if stay:
        await device.by("stay").check()
    await device.by("sign-in-go").click()


async def test_a_wrong_token_is_refused_and_a_right_one_may_become_this_devices_own(
    known_devices: Devices,
) -> None:
    phone = await known_devices.device("", "Pixel 9", phone=True, token="")
    phone.expected.append("status of 401")
    await phone.page.goto(f"{phone.url}/#/s/trip")
    await phone.by("token-input").wait_for()
    assert await violations_light_and_dark(phone.page) == []
    await sign_in(phone, "nonsense")
    await expect(phone.by("sign-in-failed")).to_be_visible()
    await sign_in(phone, token_of("ada"), stay=True)
    await phone.by("composer").wait_for()
    await phone.is_saved()
    stored = json.loads(await phone.page.evaluate("localStorage['threadline.identity']"))
    assert stored["token"].startswith("tlk_")
    await phone.page.reload()
    await phone.is_saved()


async def test_a_sign_in_is_renewed_on_the_open_conversation(known_devices: Devices) -> None:
    laptop = await known_devices.device("", "Laptop", token="")
    sockets: list[WebSocket] = []
    sent: list[bytes] = []
    laptop.page.on("websocket", lambda socket: sockets.append(socket))
    await laptop.page.goto(f"{laptop.url}/#/s/trip")
    await sign_in(laptop, token_of("ada", exp=int(time.time()) + 100))
    await laptop.by("composer").wait_for()
    await laptop.is_saved()
    sockets[-1].on("framesent", lambda frame: sent.append(frame if isinstance(frame, bytes) else b""))
    await laptop.by("renew").click()
    await sign_in(laptop, token_of("bob"))
    await expect(laptop.by("sign-in-failed")).to_contain_text("bob")
    fresh = token_of("ada")
    await sign_in(laptop, fresh)
    await expect(laptop.by("sign-in-notice")).to_have_count(0)
    await laptop.send("still here")
    await laptop.is_saved()
    assert any(fresh.encode() in frame for frame in sent)
    assert len(sockets) == 1, "the socket of before is still used"
    await expect(laptop.by("banner")).to_have_count(0)


async def test_an_ended_sign_in_says_so_and_loses_nothing(known_devices: Devices) -> None:
    laptop = await known_devices.device("", "Laptop", token="")
    laptop.expected.append("status of 401")
    await laptop.page.goto(f"{laptop.url}/#/s/trip")
    await sign_in(laptop, token_of("ada", exp=int(time.time()) + 4))
    await laptop.by("composer").wait_for()
    await laptop.send("written before")
    await expect(laptop.by("banner")).to_have_attribute("data-code", "4401", timeout=TIMEOUT_MS)
    await laptop.by("sign-in-again").click()
    await sign_in(laptop, token_of("ada"))
    await laptop.by("composer").wait_for()
    await laptop.sees("written before")
    await laptop.is_saved()

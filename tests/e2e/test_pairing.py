"""Continue on phone: a code in a QR code, the same number on both, a device that is listed and signed off."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect
from tests.e2e.axe import violations_light_and_dark
from tests.e2e.browser_device import TIMEOUT_MS, BrowserDevice, same_digest
from tests.e2e.conftest import Devices, watched_devices
from tests.server_process import ThreadlineProcess
from tests.signing import token_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def scanned(laptop: BrowserDevice) -> str:
    """What a camera would read off the laptop's screen."""
    await laptop.show_panel()
    await laptop.by("continue").click()
    await laptop.by("qr").wait_for()
    text = await laptop.by("qr").get_attribute("data-text")
    assert text is not None
    return text


async def link(laptop: BrowserDevice, phone: BrowserDevice) -> None:
    """From the laptop's session to the phone."""
    url = await scanned(laptop)
    await phone.page.goto(url)
    assert url.partition("#/link/")[2]
    assert await phone.page.evaluate("location.hash") == "#/", "the code left the address"
    assert await violations_light_and_dark(laptop.page) == [], "the code"
    assert await violations_light_and_dark(phone.page) == [], "the new device"
    await phone.by("device-input").fill("Pixel 9")
    await phone.by("link-use").click()
    await expect(laptop.by("link-device")).to_contain_text("Pixel 9")
    numbers = [await device.by("link-number").inner_text() for device in (laptop, phone)]
    assert numbers[0] == numbers[1]
    assert await violations_light_and_dark(laptop.page) == [], "the question"
    await laptop.by("link-yes").click()
    await expect(laptop.by("link-done")).to_contain_text("Pixel 9")
    await laptop.by("continue-close").click()


async def test_a_phone_goes_on_where_the_laptop_was_until_it_is_signed_off(known_devices: Devices) -> None:
    laptop = await known_devices.device("ada", "Laptop", token=token_of("ada"))
    phone = await known_devices.device("", "Pixel 9", phone=True, token="")
    phone.expected.append("status of 401")
    await laptop.open("trip")
    await laptop.send("Find hotels in Berlin")
    await laptop.finished_answers(1)
    await link(laptop, phone)
    await phone.by("composer").wait_for()
    await phone.is_saved()
    await same_digest(laptop.digest, phone.digest)
    await phone.send("Under $150 a night")
    await laptop.finished_answers(2)

    await laptop.by("settings").click()
    await laptop.by("linked-devices").click()
    row = laptop.by("linked-device")
    await expect(row).to_contain_text("Pixel 9")
    assert await violations_light_and_dark(laptop.page) == [], "the list of devices"
    await row.get_by_role("button").click()
    await laptop.by("revoke-yes").click()
    await expect(row).to_have_count(0)
    await expect(phone.by("banner")).to_have_attribute("data-code", "4401", timeout=TIMEOUT_MS)
    await expect(phone.by("banner")).to_contain_text("Sign in again")
    await laptop.is_saved()


async def test_a_code_is_refused_once_it_was_used_or_turned_down(known_devices: Devices) -> None:
    laptop = await known_devices.device("ada", "Laptop", token=token_of("ada"))
    phone = await known_devices.device("", "Pixel 9", phone=True, token="")
    eve = await known_devices.device("", "Nobody", phone=True, token="")
    phone.expected.append("status of 403")
    eve.expected.append("status of 401")
    await laptop.open("trip")
    url = await scanned(laptop)
    for device in (phone, eve):
        await device.page.goto(url)
        await device.by("link-use").click()
        await device.by("link-number" if device is phone else "link-failed").wait_for()
    await expect(eve.by("link-failed")).to_contain_text("wrong, was used, or is too old")
    await laptop.by("link-no").click()
    await expect(phone.by("link-failed")).to_contain_text("said no")
    await laptop.by("fresh-code").click()
    await expect(laptop.by("link-code")).not_to_have_text(url.partition("#/link/")[2])


async def test_a_demo_on_the_local_network_pairs_one_device_and_that_links_others(
    browser: Browser, tmp_path: Path, web_page: Path
) -> None:
    """The code of the terminal makes a linked device like any other."""
    serve = ("serve", "--port", "0", "--data", str(tmp_path), "--auth", "pairing", "--link-poll-s", "0.1")
    server = ThreadlineProcess(*serve)
    await server.start()
    try:
        async with watched_devices(browser, server.url) as devices:
            laptop = await devices.device("ada", "Laptop", token="")
            phone = await devices.device("", "Pixel 9", phone=True, token="")
            code = await server.said(r"([2-9A-Z]{4}-[2-9A-Z]{4})\b")
            await laptop.page.goto(server.url)
            await laptop.by("sign-in").wait_for()
            assert await violations_light_and_dark(laptop.page) == [], "the way in"
            await laptop.by("sign-in").get_by_role("link").click()
            await laptop.page.locator("#code").wait_for()
            assert await violations_light_and_dark(laptop.page) == [], "the code of the terminal"
            await laptop.page.locator("#code").fill(code)
            await laptop.page.locator("#name").fill("ada")
            await laptop.page.locator("#device").fill("Laptop")
            await laptop.page.get_by_role("button").click()
            await laptop.by("new-session").wait_for()
            await laptop.open("trip")
            await link(laptop, phone)
            await phone.is_saved()
            await laptop.by("settings").click()
            await laptop.by("linked-devices").click()
            await expect(laptop.by("linked-device")).to_have_count(2)
    finally:
        await asyncio.wait_for(server.kill(), 30)

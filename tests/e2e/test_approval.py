"""A call that needs a person's word: any device may give it, once."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect
from tests.e2e.browser_device import same_digest
from tests.e2e.conftest import Devices

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def agent() -> str:
    return "tests.e2e.agents:booking"


async def test_another_device_allows_the_call_and_all_say_who_did(devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    phone = await devices.device("bob", "Pixel 9", phone=True)
    await laptop.open("trip")
    await phone.open("trip")
    await laptop.send("Book the hotel Adler")
    await expect(laptop.by("approval")).to_contain_text("Adler")
    desk = await devices.device("ada", "Desk")
    await desk.page.goto(desk.url)
    await expect(desk.by("session-link").locator(".about")).to_have_text("Agent: waiting for you")
    await phone.by("approve").click()
    for device in (laptop, phone):
        await expect(device.by("approval-outcome")).to_contain_text("bob")
        await expect(device.by("approve")).to_have_count(0)
        await device.finished_answers(1)
    await laptop.show_panel()
    await expect(laptop.page.locator("[data-key=hotel]")).to_contain_text("Adler")
    await same_digest(laptop.digest, phone.digest)


async def test_what_was_not_allowed_is_not_done(devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    await laptop.open("trip")
    await laptop.send("Book the hotel Adler")
    await laptop.by("reject").click()
    await expect(laptop.by("approval-outcome")).to_contain_text("ada")
    await expect(laptop.by("stop")).to_have_count(0)
    await laptop.show_panel()
    await expect(laptop.page.locator("[data-key=hotel]")).to_have_count(0)


async def test_two_devices_that_decide_at_once_see_one_outcome(devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    phone = await devices.device("bob", "Pixel 9", phone=True)
    await laptop.open("trip")
    await phone.open("trip")
    await laptop.send("Book the hotel Adler")
    await laptop.by("reject").wait_for()
    await phone.by("approve").wait_for()
    buttons = await laptop.by("reject").element_handle(), await phone.by("approve").element_handle()
    # a script's clicks: whoever decides second may find the button gone, and that is no failure
    await asyncio.gather(*(button.evaluate("it => it.click()") for button in buttons))
    outcomes = []
    for device in (laptop, phone):
        await expect(device.by("approval-outcome")).to_have_count(1)
        await expect(device.by("stop")).to_have_count(0)
        outcomes.append(await device.by("approval-outcome").inner_text())
    # and clicks on what is decided, but not drawn anew yet, do nothing, and break nothing in the page
    await asyncio.gather(*(button.evaluate("it => it.click()") for button in buttons))
    assert outcomes[0] == outcomes[1]
    booked = "Not allowed" not in outcomes[0]
    await laptop.show_panel()
    await expect(laptop.page.locator("[data-key=hotel]")).to_have_count(int(booked))
    await same_digest(laptop.digest, phone.digest)

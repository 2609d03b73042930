"""Taking back one's own last edit: a message with what was asked by it, the draft, the state."""

from __future__ import annotations

import pytest
from playwright.async_api import expect
from tests.e2e.browser_device import same_digest
from tests.e2e.conftest import Devices

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def agent() -> str:
    return "tests.e2e.agents:slow"


async def test_a_message_is_taken_back_with_its_answer_and_its_words_return(devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    phone = await devices.device("bob", "Pixel 9", phone=True)
    await laptop.open("trip")
    await phone.open("trip")
    await laptop.send("Find hotels in Berlin")
    await phone.sees("Find hotels in Berlin")
    await phone.by("stop").wait_for()
    await laptop.page.locator("[data-role=user]").hover()
    await laptop.by("undo-send").click()
    await expect(laptop.by("composer")).to_have_value("Find hotels in Berlin")
    for device in (laptop, phone):
        await expect(device.by("message")).to_have_count(0)
        await expect(device.by("stop")).to_have_count(0)
    await expect(phone.by("undo-send")).to_have_count(0)
    await same_digest(laptop.digest, phone.digest)


async def test_the_keys_take_back_what_was_typed_here_and_not_there(devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    phone = await devices.device("ada", "Pixel 9", phone=True)
    await laptop.open("trip")
    await phone.open("trip")
    await phone.type_draft("Under $150")
    await expect(laptop.by("composer")).to_have_value("Under $150")
    await laptop.by("composer").press("End")
    await laptop.by("composer").press_sequentially(", quiet")
    await expect(phone.by("composer")).to_have_value("Under $150, quiet")
    await laptop.by("composer").press("Control+z")
    for device in (laptop, phone):
        await expect(device.by("composer")).to_have_value("Under $150")
    await laptop.by("composer").press("Control+Shift+z")
    await expect(phone.by("composer")).to_have_value("Under $150, quiet")
    await laptop.set_state("budget", "120")
    await expect(laptop.page.locator("[data-key=budget]")).to_have_count(1)
    await laptop.by("transcript").focus()
    await laptop.page.keyboard.press("Control+z")
    await expect(laptop.page.locator("[data-key=budget]")).to_have_count(0)

"""No page breaks a rule of axe, light or dark, on a desktop or a phone."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect
from tests.e2e.axe import SCHEMES, Scheme, violations, violations_light_and_dark
from tests.e2e.browser_device import PHONE
from tests.e2e.conftest import Devices
from tests.server_process import ServerProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def agent() -> str:
    return "tests.e2e.agents:booking"


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_the_welcome_page(browser: Browser, demo: ServerProcess, scheme: Scheme) -> None:
    context = await browser.new_context(viewport=PHONE, color_scheme=scheme)
    page = await context.new_page()
    await page.goto(demo.url)
    await page.get_by_test_id("name-input").fill("not a name")
    assert await violations(page) == []
    await context.close()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
async def test_a_conversation_in_every_state(devices: Devices, scheme: Scheme, phone: bool) -> None:
    device = await devices.device("ada", "Laptop", phone=phone)
    await device.page.emulate_media(color_scheme=scheme)
    await device.page.goto(device.url)
    await expect(device.by("session-list")).to_be_visible()
    assert await violations(device.page) == [], "the list"
    await device.open("trip")
    assert await violations(device.page) == [], "an empty conversation"
    await device.send("book hotel=Adlon")
    await device.by("approve").wait_for()
    assert await violations(device.page) == [], "an approval"
    await device.by("approve").click()
    await device.finished_answers(1)
    await device.send("`code`\n```python\nprint(1)\n```\n[a link](https://example.org)")
    await device.finished_answers(2)
    await device.set_state("trip", '{"city": "Berlin", "nights": [1, 2]}')
    assert await violations(device.page) == [], "the panel"
    await device.go_offline()
    await device.page.keyboard.press("Escape")
    await device.send("Later")
    assert await violations(device.page) == [], "offline"


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_the_settings_in_arabic(devices: Devices, scheme: Scheme) -> None:
    laptop = await devices.device("ada", "Laptop")
    await laptop.page.emulate_media(color_scheme=scheme)
    await laptop.page.goto(laptop.url)
    await laptop.by("settings").click()
    await laptop.page.locator("dialog select").last.select_option("ar")
    await expect(laptop.page.locator("html")).to_have_attribute("dir", "rtl")
    assert await violations(laptop.page) == []


async def test_the_dialogs_of_a_conversation(devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    await laptop.open("trip")
    await laptop.page.get_by_test_id("title").click()
    await laptop.page.keyboard.press("?")
    await laptop.page.get_by_role("dialog").wait_for()
    assert await violations_light_and_dark(laptop.page) == [], "the keys"
    await laptop.page.keyboard.press("Escape")
    await laptop.by("session-options").first.click()
    await laptop.by("session-dialog").wait_for()
    assert await violations_light_and_dark(laptop.page) == [], "the options"
    await laptop.by("delete").click()
    assert await violations_light_and_dark(laptop.page) == [], "the question before it is deleted"

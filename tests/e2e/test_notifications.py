"""A browser notification when an answer is done while the page is not looked at."""

from __future__ import annotations

import pytest
from playwright.async_api import expect
from tests.e2e.browser_device import BrowserDevice
from tests.e2e.conftest import Devices
from tests.e2e.until import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

# A headless browser has no notification centre: what the page hands to it is kept instead.
KEEP = """
window.told = [];
window.Notification = class {
  static permission = "granted";
  static requestPermission = async () => "granted";
  constructor(title, options) { window.told.push([title, options.body]); }
  addEventListener() {}
};
Object.defineProperty(document, "hidden", {get: () => window.away === true});
"""


async def test_a_finished_answer_is_told_of_while_nobody_looks(devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    phone = await devices.device("ada", "Pixel 9", phone=True)
    await laptop.context.add_init_script(KEEP)
    await laptop.open("trip")
    await phone.open("trip")
    await laptop.by("settings").click()
    await laptop.by("notify").check()
    await expect(laptop.by("notify")).to_be_checked()
    await laptop.page.keyboard.press("Escape")
    await phone.send("Find hotels in Berlin")
    await laptop.finished_answers(1)
    assert await laptop.page.evaluate("window.told") == []
    await laptop.page.evaluate("window.away = true")
    await phone.send("Find hotels in Lisbon")
    told = await until("a notification", lambda: _told(laptop))
    assert told == ["Find hotels in Berlin", "Done"]


async def _told(device: BrowserDevice) -> list[str] | None:
    told: list[list[str]] = await device.page.evaluate("window.told")
    return told[0] if told else None

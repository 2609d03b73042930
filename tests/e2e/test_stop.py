"""Any device stops what the agent does."""

from __future__ import annotations

import pytest
from playwright.async_api import expect
from tests.e2e.browser_device import same_digest
from tests.e2e.conftest import Devices

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def agent() -> str:
    return "tests.e2e.agents:slow"


async def test_another_device_stops_the_answer(devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    phone = await devices.device("ada", "Pixel 9", phone=True)
    await laptop.open("trip")
    await phone.open("trip")
    await laptop.send("Find hotels in Berlin")
    await laptop.page.locator("[data-role=assistant]").wait_for()
    await phone.by("stop").click()
    for device in (laptop, phone):
        await expect(device.by("stop")).to_have_count(0)
        await expect(device.by("stopped")).to_contain_text("ada on Pixel 9")
    await same_digest(laptop.digest, phone.digest)


async def test_escape_stops_it_too(devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    await laptop.open("trip")
    await laptop.send("Find hotels in Berlin")
    await laptop.page.locator("[data-role=assistant]").wait_for()
    await laptop.by("composer").press("Escape")
    await expect(laptop.by("stopped")).to_be_visible()

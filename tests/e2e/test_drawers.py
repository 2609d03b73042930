"""The timeline, which shows a session at any moment of its log, and what is under the hood."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect
from tests.e2e.axe import violations_light_and_dark
from tests.e2e.browser_device import BrowserDevice
from tests.e2e.conftest import Devices
from tests.server_process import ThreadlineProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_timeline_goes_back_and_a_branch_goes_on_from_there(devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    await laptop.open("trip")
    await laptop.send("Find hotels in Berlin")
    await laptop.finished_answers(1)
    await laptop.send("Find hotels in Lisbon")
    await laptop.finished_answers(2)
    await laptop.is_saved()
    await laptop.show_panel()
    await laptop.by("open-timeline").click()
    shown = laptop.by("moment-messages")
    await expect(shown).to_contain_text("Find hotels in Lisbon")
    assert await violations_light_and_dark(laptop.page) == []
    scrubber = laptop.by("scrubber")
    await scrubber.focus()
    await scrubber.press("Home")
    await expect(laptop.by("moment")).to_contain_text("The beginning")
    await expect(shown).to_contain_text("Nothing was said yet.")
    await scrubber.press("End")
    while "Lisbon" in await shown.inner_text():
        await scrubber.press("ArrowLeft")
    await expect(shown).to_contain_text("Find hotels in Berlin")
    await laptop.by("branch").click()
    await expect(laptop.page).not_to_have_url(f"{laptop.url}/#/s/trip")
    await laptop.sees("Find hotels in Berlin")
    assert await laptop.texts() == ["Find hotels in Berlin"]
    await laptop.finished_answers(1)
    await laptop.send("Find hotels in Paris")
    assert "Paris" in (await laptop.finished_answers(2))[1]


async def test_a_dropped_connection_is_seen_to_heal(devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    phone = await devices.device("ada", "Pixel 9", phone=True)
    await laptop.open("trip")
    await phone.open("trip")
    await laptop.show_panel()
    await laptop.by("open-glass").click()
    await laptop.by("leave").click()
    await laptop.word("offline")
    await expect(laptop.by("glass-connection")).to_have_text("left")
    await laptop.send("Find hotels in Berlin")
    await laptop.by("leave").click()
    await laptop.is_saved()
    await phone.sees("Find hotels in Berlin")
    await phone.finished_answers(1)
    await laptop.by("drop").click()
    await expect(laptop.by("frames")).to_contain_text("auth")
    await laptop.by("slow").click()
    await laptop.send("Find hotels in Lisbon")
    await phone.sees("Find hotels in Lisbon")
    await phone.finished_answers(2)
    await laptop.is_saved()
    await expect(laptop.by("glass-round-trip")).to_contain_text("s")
    assert await laptop.digest() == await phone.digest()
    assert await violations_light_and_dark(laptop.page) == []


async def test_a_killed_node_of_the_demo_is_seen_to_come_back(
    browser: Browser, web_page: Path, tmp_path: Path
) -> None:
    served = ThreadlineProcess("demo", "--port", "0", "--no-browser", "--data", str(tmp_path / "data"))
    url = await served.start()
    laptop = await BrowserDevice.start(browser, url, "ada", "Laptop", phone=False)
    await laptop.open("trip")
    await laptop.show_panel()
    await laptop.by("open-glass").click()
    await laptop.by("kill").click()
    await laptop.word("offline")
    await laptop.send("Find hotels in Berlin")
    await served.said("(killed, and is back)")
    await laptop.is_saved()
    await laptop.finished_answers(1)
    await expect(laptop.by("kill")).to_be_enabled()
    await laptop.context.close()
    assert await served.stop() == 0


async def test_other_nodes_offer_no_such_button(devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    await laptop.open("trip")
    await laptop.show_panel()
    async with laptop.page.expect_response("**/api/v1/demo"):
        await laptop.by("open-glass").click()
    await expect(laptop.by("slow")).to_be_visible()
    await expect(laptop.by("kill")).to_have_count(0)

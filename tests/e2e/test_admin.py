"""The page for operators: live numbers, tables, health; read-only, and nothing for others."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from tests.e2e.axe import violations, violations_light_and_dark
from tests.e2e.browser_device import DESKTOP, PHONE
from tests.e2e.conftest import Devices
from tests.server_process import ServerProcess, server_process
from tests.signing import SECRET, token_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_operators_see_the_server_live(devices: Devices, demo: ServerProcess) -> None:
    laptop = await devices.device("ada", "Laptop")
    await laptop.open("trip")
    watcher = await devices.device("ada", "Desk")
    page = watcher.page
    await page.goto(f"{demo.url}/admin")
    await expect(page.get_by_test_id("ready")).to_have_text("Ready")
    await expect(page.get_by_test_id("devices")).to_contain_text("Laptop")
    await expect(page.get_by_test_id("sessions")).to_contain_text("trip")
    await expect(page.get_by_test_id("nodes")).to_contain_text("embedded")
    await laptop.send("Find hotels in Berlin")
    await laptop.finished_answers(1)
    updates = page.get_by_test_id("plot").filter(has_text="Updates").first
    await expect(updates.locator("path.course")).to_have_count(1)
    assert await violations_light_and_dark(page) == []
    await page.set_viewport_size(PHONE)
    assert await violations(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert "Berlin" not in await page.locator("body").inner_text()


async def test_a_server_that_is_away_is_said_to_be(devices: Devices, demo: ServerProcess) -> None:
    watcher = await devices.device("ada", "Desk")
    await watcher.page.goto(f"{demo.url}/admin")
    await expect(watcher.by("ready")).to_be_visible()
    await demo.kill()
    await expect(watcher.by("lost")).to_be_visible()
    await expect(watcher.by("plot").first).to_be_visible()


async def test_others_are_asked_for_an_operators_token(
    browser: Browser, tmp_path: Path, web_page: Path
) -> None:
    guarded = ("--auth", "token", "--operators", "ada")
    async with server_process(
        tmp_path / "data", *guarded, environment={"THREADLINE_AUTH_SECRET": SECRET}
    ) as server:
        context = await browser.new_context(viewport=DESKTOP)
        page: Page = await context.new_page()
        await page.goto(f"{server.url}/admin")
        await expect(page.get_by_test_id("refused")).to_be_visible()
        assert await violations_light_and_dark(page) == []
        await page.get_by_test_id("admin-token").fill(token_of("eve"))
        await page.keyboard.press("Enter")
        await expect(page.get_by_test_id("refused")).to_contain_text("Only operators")
        await page.get_by_test_id("admin-token").fill(token_of("ada"))
        await page.keyboard.press("Enter")
        await expect(page.get_by_test_id("ready")).to_have_text("Ready")
        await context.close()

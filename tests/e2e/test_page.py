"""The page itself: first visit, keyboard, text that must not act, and its shape on a phone."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect
from tests.e2e.browser_device import PHONE
from tests.e2e.conftest import Devices
from tests.server_process import ServerProcess

HOSTILE = [
    "<img src=x onerror=window.hit=1>",
    "<svg onload=window.hit=1>",
    "[x](javascript:window.hit=1)",
    "<a href='javascript:window.hit=1'>x</a>",
    "<iframe srcdoc='<script>parent.hit=1</script>'></iframe>",
    "<style>body{display:none}</style>",
    "```\n</code></pre><script>window.hit=1</script>\n```",
    "<form><button formaction=javascript:window.hit=1>x</button></form>",
]


@pytest.mark.asyncio
async def test_the_first_visit_asks_for_a_name_and_keeps_it(browser: Browser, demo: ServerProcess) -> None:
    context = await browser.new_context(viewport=PHONE)
    page = await context.new_page()
    await page.goto(f"{demo.url}/?session=trip")
    await page.get_by_test_id("name-input").fill("Zoë")
    await expect(page.get_by_test_id("start")).to_be_disabled()
    await page.get_by_test_id("name-input").fill("zoe")
    await page.get_by_test_id("device-input").fill("Pixel 9")
    await page.get_by_test_id("start").click()
    await expect(page.get_by_test_id("saved")).to_have_attribute("data-word", "saved")
    assert page.url.endswith("#/s/trip")
    await page.reload()
    await expect(page.get_by_test_id("saved")).to_have_attribute("data-word", "saved")
    await page.goto(f"{demo.url}/#/")
    await expect(page.get_by_test_id("session-link")).to_have_count(1)
    await context.close()


@pytest.mark.asyncio
async def test_enter_sends_shift_enter_breaks_and_composing_does_neither(devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    await laptop.open("trip")
    composer = laptop.by("composer")
    await composer.fill("one")
    await composer.press("Shift+Enter")
    await composer.press_sequentially("two")
    await composer.evaluate(
        """area => area.dispatchEvent(
            new KeyboardEvent('keydown', {key: 'Enter', isComposing: true, bubbles: true}))"""
    )
    assert await laptop.texts() == []
    await composer.press("Enter")
    await laptop.sees("two")
    assert await laptop.texts() == ["one\ntwo"]
    await expect(composer).to_have_value("")


@pytest.mark.asyncio
async def test_text_of_others_does_not_act(devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    await laptop.open("trip")
    for text in HOSTILE:
        await laptop.send(text)
    await laptop.set_state("<img src=x onerror=window.hit=1>", "<script>window.hit=1</script>")
    await laptop.finished_answers(len(HOSTILE))
    await laptop.is_saved()
    assert await laptop.page.evaluate("window.hit") is None
    assert (
        await laptop.page.locator(
            "[data-testid=transcript] :is(script, iframe, svg[onload], style, form)"
        ).count()
        == 0
    )


@pytest.mark.asyncio
async def test_names_titles_tool_output_and_the_timeline_do_not_act(devices: Devices) -> None:
    hostile = HOSTILE[0]
    laptop = await devices.device("ada", hostile)
    phone = await devices.device("bob", "Pixel 9", phone=True)
    await laptop.open("trip")
    await phone.open("trip")
    await laptop.send(f"Find hotels in {hostile} Berlin")
    await phone.finished_answers(1)
    await laptop.by("session-options").first.click()
    await laptop.by("rename").fill(hostile)
    await laptop.by("rename").press("Enter")
    await expect(phone.by("title")).to_have_text(hostile)
    await phone.page.locator("details summary").first.click()
    await phone.show_panel()
    await phone.by("open-timeline").click()
    await expect(phone.by("moment-messages")).to_contain_text("Berlin")
    for device in (laptop, phone):
        assert await device.page.evaluate("window.hit") is None
        assert await device.page.locator("img[src=x]").count() == 0


@pytest.mark.asyncio
async def test_a_phone_needs_no_sideways_scrolling_and_its_targets_are_large(devices: Devices) -> None:
    phone = await devices.device("ada", "Pixel 9", phone=True)
    await phone.open("trip")
    await phone.send("Find hotels in Berlin")
    await phone.finished_answers(1)
    await phone.show_panel()
    width = await phone.page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]
    small = await phone.page.evaluate(
        """() => [...document.querySelectorAll('button, a, input, textarea, select')]
            .filter((element) => element.checkVisibility() && !element.matches('.skip, textarea'))
            .filter((element) => element.getBoundingClientRect().height < 44)
            .map((element) => element.outerHTML.slice(0, 120))"""
    )
    assert small == []


@pytest.mark.asyncio
async def test_a_name_that_is_not_allowed_is_answered_in_words(devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    await laptop.page.goto(f"{laptop.url}/#/s/{'x' * 200}")
    await expect(laptop.page.get_by_text("Pick a conversation")).to_be_visible()

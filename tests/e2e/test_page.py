"""The page itself: first visit, keyboard, text that must not act, and its shape on a phone."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect
from tests.e2e.agents import HOSTILE
from tests.e2e.axe import violations_light_and_dark
from tests.e2e.browser_device import PHONE, BrowserDevice
from tests.e2e.conftest import Devices
from tests.server_process import ServerProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")


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


class TestRecitingAgent:
    @pytest.fixture
    def agent(self) -> str:
        return "tests.e2e.agents:reciting"

    async def test_what_a_tool_has_read_does_not_act(self, devices: Devices) -> None:
        laptop = await devices.device("ada", "Laptop")
        await laptop.open("trip")
        await laptop.send("recite")
        await laptop.finished_answers(1)
        for summary in await laptop.page.locator("details.step summary").all():
            await summary.click()
        await expect(laptop.page.locator("details.step").last).to_contain_text("onerror")
        await laptop.show_panel()
        await laptop.by("open-timeline").click()
        await expect(laptop.by("moment-messages")).to_contain_text("recite")
        await laptop.page.mouse.move(600, 400)
        assert await laptop.page.evaluate("window.hit") is None
        await expect(laptop.page.locator(".markdown math").first).to_be_visible()
        acting = "script, iframe, object, embed, base, meta, style, form, svg[onload], img[src^=http]"
        assert await laptop.page.locator(f"[data-testid=transcript] :is({acting})").count() == 0
        assert await laptop.page.locator(".markdown [style]").count() == 0
        assert len(laptop.context.pages) == 1


# What one can touch, apart from fields of text that grow, and text that is a link within a sentence.
SMALL = """() => [...document.querySelectorAll('button, a, input, select, summary')]
    .filter((element) => element.checkVisibility())
    .filter((element) => !element.matches('.skip, .markdown a, [type=checkbox], [type=range]'))
    .filter((element) => element.getBoundingClientRect().height < 44)
    .map((element) => element.outerHTML.slice(0, 120))"""


async def _fits_a_thumb(phone: BrowserDevice) -> None:
    assert await phone.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert await phone.page.evaluate(SMALL) == []


@pytest.mark.parametrize("language", ["en", "ar"])
async def test_a_phone_needs_no_sideways_scrolling_and_its_targets_are_large(
    devices: Devices, language: str
) -> None:
    phone = await devices.device("ada", "Pixel 9", phone=True)
    await phone.context.add_init_script(f"localStorage.setItem('threadline.language', '{language}')")
    await phone.page.goto(phone.url)
    await expect(phone.by("session-list")).to_be_visible()
    await _fits_a_thumb(phone)
    await phone.by("settings").click()
    await _fits_a_thumb(phone)
    await phone.page.keyboard.press("Escape")
    await phone.open("trip")
    await _fits_a_thumb(phone)
    await phone.send("Find hotels in Berlin")
    await phone.finished_answers(1)
    await _fits_a_thumb(phone)
    await phone.show_panel()
    await _fits_a_thumb(phone)
    for drawer in ("open-timeline", "open-glass"):
        await phone.by(drawer).click()
        await phone.page.locator(".drawer").wait_for()
        await _fits_a_thumb(phone)
        assert await violations_light_and_dark(phone.page) == []
        await phone.page.locator(".drawer header button").click()
    expected = "rtl" if language == "ar" else "ltr"
    await expect(phone.page.locator("html")).to_have_attribute("dir", expected)


async def test_a_name_that_is_not_allowed_is_answered_in_words(devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    await laptop.page.goto(f"{laptop.url}/#/s/{'x' * 200}")
    await expect(laptop.page.get_by_text("Pick a conversation")).to_be_visible()

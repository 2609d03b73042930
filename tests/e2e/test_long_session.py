"""Conversations of thousands of messages: only what is near the view is drawn, and the view stays."""

from __future__ import annotations

import pytest
from playwright.async_api import expect
from tests.e2e.browser_device import BrowserDevice
from tests.e2e.conftest import Devices
from tests.e2e.until import until
from tests.server_process import ServerProcess

import threadline
from threadline.live_session import LiveSession

pytestmark = pytest.mark.asyncio(loop_scope="module")

MESSAGES = 800

# Whether rows lie over the whole of the view, or over what the conversation has of it.
COVERED = """() => {
  const log = document.querySelector("[data-testid=transcript]").getBoundingClientRect();
  const rows = [...document.querySelectorAll(".row-of-log")].map((row) => row.getBoundingClientRect());
  const first = Math.min(...rows.map(({top}) => top));
  const last = Math.max(...rows.map(({bottom}) => bottom));
  return first <= log.top + 60 && last >= log.bottom - 60;
}"""
SCROLL_UP = """async (step) => {
  const log = document.querySelector("[data-testid=transcript]");
  const seen = [];
  for (let number = 0; number < 40; number += 1) {
    log.scrollTop -= step;
    await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    seen.push(document.querySelectorAll(".row-of-log").length);
  }
  return seen;
}"""
FIRST_IN_VIEW = """() => {
  const log = document.querySelector("[data-testid=transcript]").getBoundingClientRect();
  const row = [...document.querySelectorAll("[data-testid=message]")]
      .find((message) => message.getBoundingClientRect().bottom > log.top + 60);
  return [row.dataset.id, Math.round(row.getBoundingClientRect().top)];
}"""


async def _fill(session: LiveSession, count: int) -> None:
    for number in range(count):
        lines = "\n".join(["words that are long enough to fill a line or two of it"] * (number % 7))
        session.add_message("user", f"Message {number}. {lines}")
    await session.saved()


async def _open_to_end(device: BrowserDevice, last: str) -> None:
    await device.open("long")
    await expect(device.page.get_by_text(last)).to_be_in_viewport()


async def test_a_long_conversation_opens_at_its_end_and_scrolls_to_its_beginning(
    demo: ServerProcess, devices: Devices
) -> None:
    async with threadline.connect(demo.url, token="bob") as client:
        session = await client.open("long")
        await _fill(session, MESSAGES)
        laptop = await devices.device("ada", "Laptop")
        await _open_to_end(laptop, f"Message {MESSAGES - 1}.")
        drawn = await laptop.page.evaluate(SCROLL_UP, 300)
        assert max(drawn) < 120
        await until("rows over all of the view", lambda: _covered(laptop))
        before = await laptop.page.evaluate(FIRST_IN_VIEW)
        session.add_message("user", "Said meanwhile")
        await session.saved()
        await expect(laptop.by("to-end")).to_be_visible()
        assert await laptop.page.evaluate(FIRST_IN_VIEW) == before
        await laptop.by("transcript").focus()
        await laptop.page.keyboard.press("Home")
        await expect(laptop.by("transcript").get_by_text("Message 0.")).to_be_in_viewport()
        await until("rows over all of the view", lambda: _covered(laptop))
        await laptop.by("to-end").click()
        await expect(laptop.page.get_by_text("Said meanwhile")).to_be_in_viewport()
        await expect(laptop.by("to-end")).to_have_count(0)
        session.add_message("user", "And again")
        await session.saved()
        await expect(laptop.page.get_by_text("And again")).to_be_in_viewport()


async def test_a_line_stands_above_what_is_new_also_where_another_device_has_read(
    demo: ServerProcess, devices: Devices
) -> None:
    phone = await devices.device("ada", "Pixel 9", phone=True)
    async with threadline.connect(demo.url, token="bob") as client:
        session = await client.open("long")
        await _fill(session, 20)
        await _open_to_end(phone, "Message 19.")
        await expect(phone.by("new-line")).to_have_count(0)
        await until("the marker", lambda: _read(demo, 20))
        await phone.close_page()
        for number in range(15):
            session.add_message("user", f"News {number} is a message of several words")
        await session.saved()
        laptop = await devices.device("ada", "Laptop")
        await laptop.open("long")
        await expect(laptop.by("new-line")).to_be_in_viewport()
        beneath = laptop.page.locator(".row-of-log", has=laptop.by("new-line"))
        await expect(beneath).to_contain_text("News 0 ")


async def _covered(device: BrowserDevice) -> bool | None:
    return await device.page.evaluate(COVERED) or None


async def _read(demo: ServerProcess, number: int) -> bool | None:
    async with threadline.connect(demo.url, token="ada", device="Terminal") as client:
        session = await client.open("long")
        return True if session.companion.read.up_to >= number else None

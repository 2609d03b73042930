"""Draws the page as the documentation shows it, on a desktop and a phone.

    .venv/bin/python web_demo/scripts/take_screenshots.py DIRECTORY [NAME ...]

Starts a server of its own on a free port and a headless Chromium; nothing else is kept. With names, only
these pictures are drawn.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from playwright.async_api import Browser, Page, ViewportSize, async_playwright

import threadline

USER = "ada"
DESKTOP = ViewportSize(width=1280, height=820)
NAMED = {"lisbon": "A stay in Lisbon under $120 a night", "paris": "Hotels in Paris next Friday"}
PHONE = ViewportSize(width=390, height=844)
AGENTS = """
from threadline.agents import Agent, Session, tool
from threadline.agents.travel import travel_agent

quick = travel_agent(tokens_per_second=400.0)

@tool(description="Book a hotel", requires_approval=True)
def book(hotel: str, session: Session) -> str:
    session.set("hotel", hotel)
    return f"Booked {hotel}"

booking = Agent(name="booking", model="demo", tools=[book])
"""


class Studio:
    """One server, one browser; each picture has pages of its own."""

    def __init__(self, browser: Browser, url: str, directory: Path) -> None:
        self.browser = browser
        self.url = url
        self.directory = directory

    async def page(
        self,
        session: str,
        *,
        user: str = USER,
        device: str = "Laptop",
        phone: bool = False,
        dark: bool = False,
    ) -> Page:
        """A page on `session`, everything saved; without a session, the address as it is."""
        context = await self.browser.new_context(
            viewport=PHONE if phone else DESKTOP,
            is_mobile=phone,
            has_touch=phone,
            color_scheme="dark" if dark else "light",
            device_scale_factor=2 if phone else 1,
        )
        identity = json.dumps({"token": user, "name": user, "device": device})
        await context.add_init_script(f"localStorage.setItem('threadline.identity', {json.dumps(identity)})")
        page = await context.new_page()
        await page.goto(f"{self.url}/#/s/{session}" if session else self.url)
        if session:
            await page.locator("[data-word=saved]").wait_for()
        return page

    async def draw(self, page: Page, name: str) -> None:
        await page.evaluate(
            """() => Promise.all(document.getAnimations()
                .filter((animation) => animation.effect.getComputedTiming().iterations !== Infinity)
                .map((animation) => animation.finished.catch(() => undefined)))"""
        )
        await page.screenshot(path=self.directory / f"{name}.png")
        sys.stdout.write(f"{name}\n")


async def say(page: Page, text: str) -> None:
    """Sends a message and waits for the answer."""
    answers = page.locator("[data-role=assistant][data-status=complete]")
    count = await answers.count()
    await page.get_by_test_id("composer").fill(text)
    await page.get_by_test_id("composer").press("Enter")
    await answers.nth(count).wait_for()
    await page.locator("[data-word=saved]").wait_for()


async def trip(
    studio: Studio, session: str, city: str = "Berlin", *, phone: bool = False, dark: bool = False
) -> Page:
    """A conversation of two turns with another device and another person in it."""
    await studio.page(session, device="Pixel 9")
    await studio.page(session, user="bob", device="MacBook")
    page = await studio.page(session, phone=phone, dark=dark)
    await say(page, f"Find hotels in {city}")
    await say(page, "Under $150 a night, and quiet")
    return page


async def desktop(studio: Studio) -> None:
    await studio.draw(await trip(studio, "autumn"), "desktop")


async def phone(studio: Studio) -> None:
    await studio.draw(await trip(studio, "spring", phone=True), "phone")


async def dark(studio: Studio) -> None:
    await studio.draw(await trip(studio, "winter", "Paris", dark=True), "dark")
    await studio.draw(await trip(studio, "night", "Rome", dark=True, phone=True), "dark-phone")


async def offline(studio: Studio) -> None:
    for is_phone in (False, True):
        page = await trip(studio, f"train-{is_phone}", "Paris", phone=is_phone)
        await page.context.set_offline(True)
        await page.locator("[data-word=offline]").wait_for()
        await page.get_by_test_id("composer").fill("And breakfast, please")
        await page.get_by_test_id("composer").press("Enter")
        await page.get_by_test_id("composer").fill("I am on the train, more")
        await page.get_by_text("2 changes waiting").or_(page.get_by_text("1 change waiting")).first.wait_for()
        await studio.draw(page, "phone-offline" if is_phone else "offline")
        await page.context.close()


async def approval(studio: Studio) -> None:
    for is_phone in (False, True):
        page = await studio.page(f"booking-{is_phone}", phone=is_phone)
        async with threadline.connect(studio.url, token=USER, device="Laptop") as client:
            session = await client.open(f"booking-{is_phone}")
            await session.send("Book hotel=Adlon", agent="booking")
            await session.saved()
            await page.get_by_test_id("approve").wait_for()
            await studio.draw(page, "approval-phone" if is_phone else "approval")


async def timeline(studio: Studio) -> None:
    for is_phone in (False, True):
        page = await trip(studio, f"past-{is_phone}", "Lisbon", phone=is_phone)
        await _open(page, "open-timeline", is_phone)
        await page.get_by_test_id("scrubber").focus()
        for _ in range(3):
            await page.get_by_test_id("scrubber").press("ArrowLeft")
        await studio.draw(page, "timeline-phone" if is_phone else "timeline")


async def glass(studio: Studio) -> None:
    for is_phone in (False, True):
        page = await trip(studio, f"hood-{is_phone}", "Rome", phone=is_phone)
        await _open(page, "open-glass", is_phone)
        await page.get_by_test_id("drop").click()
        await page.get_by_test_id("frames").get_by_text("auth").first.wait_for()
        await page.locator("[data-word=saved]").wait_for()
        await studio.draw(page, "under-the-hood-phone" if is_phone else "under-the-hood")


async def admin(studio: Studio) -> None:
    writer = await trip(studio, "watched")
    for is_phone in (False, True):
        page = await studio.page("", phone=is_phone)
        await page.goto(f"{studio.url}/admin")
        await page.get_by_test_id("plot").first.wait_for()
        for city in ("Lisbon", "Paris", "Rome"):
            await say(writer, f"Find hotels in {city}")
            await page.wait_for_timeout(2_000)
        await studio.draw(page, "admin-phone" if is_phone else "admin")


async def start(studio: Studio) -> None:
    await studio.draw(await studio.page("empty"), "start")
    await studio.draw(await studio.page("empty", phone=True), "start-phone")
    await studio.draw(await studio.page("", phone=True), "list-phone")


async def _open(page: Page, button: str, is_phone: bool) -> None:
    if is_phone:
        await page.get_by_test_id("toggle-panel").click()
    await page.get_by_test_id(button).click()


PICTURES: dict[str, Callable[[Studio], Awaitable[None]]] = {
    scene.__name__: scene
    for scene in (desktop, phone, dark, offline, approval, timeline, glass, admin, start)
}


async def main(directory: Path, names: list[str]) -> None:
    async with AsyncExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (data / "shown_agents.py").write_text(AGENTS)
        server = await asyncio.create_subprocess_exec(
            sys.executable, *("-m", "threadline_server", "serve", "--port", "0"),
            *("--data", str(data / "data")), *("--agent", "shown_agents:quick"),
            *("--agent", "shown_agents:booking"),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(data), os.environ.get("PYTHONPATH", "")])},
        )  # fmt: skip
        stack.push_async_callback(server.communicate)
        stack.callback(server.terminate)
        url = await _address(server)
        playwright = await stack.enter_async_context(async_playwright())
        path = os.environ.get("CHROMIUM") or shutil.which("chromium")
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        stack.push_async_callback(browser.close)
        studio = Studio(browser, url, directory)
        for name, text in NAMED.items():
            await say(await studio.page(name), text)
        for name in names or PICTURES:
            await PICTURES[name](studio)


async def _address(server: asyncio.subprocess.Process) -> str:
    assert server.stdout is not None
    said = []
    async for line in server.stdout:
        said.append(line.decode())
        if found := re.search(r"listening on (http://\S+)", said[-1], re.IGNORECASE):
            return found[1]
    raise SystemExit("The server did not start:\n" + "".join(said))


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(target, sys.argv[2:]))

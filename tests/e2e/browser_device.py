"""One device as a person has it: a browser with storage of its own and one page."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Self

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    ViewportSize,
    expect,
)
from tests.e2e.until import until

PHONE = ViewportSize(width=390, height=844)
DESKTOP = ViewportSize(width=1280, height=820)
TIMEOUT_MS = 20_000

# A machine with other work takes its time: an expectation fails when it will not be met, not when it is late.
expect.set_options(timeout=TIMEOUT_MS)

# What a browser says when its network is taken away, as these tests do.
EXPECTED_OFFLINE = (
    "net::ERR_INTERNET_DISCONNECTED",
    "net::ERR_CONNECTION_REFUSED",
    "WebSocket connection to",
)


class BrowserDevice:
    """`user` on `name`; the page is on no session until `open`.

    expected: parts of what the browser may complain about in a test that provokes it
    """

    def __init__(self, context: BrowserContext, url: str, user: str, name: str) -> None:
        self.context = context
        self.url = url
        self.user = user
        self.name = name
        self.complaints: list[str] = []
        self.expected: list[str] = [*EXPECTED_OFFLINE]
        self.page: Page

    @classmethod
    async def start(
        cls, browser: Browser, url: str, user: str, name: str, *, phone: bool, token: str | None = None
    ) -> Self:
        """Signed in with `token`, the user's name where it is left out, with nothing where it is empty."""
        if phone:
            context = await browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
        else:
            context = await browser.new_context(viewport=DESKTOP)
        context.set_default_timeout(TIMEOUT_MS)
        device = cls(context, url, user, name)
        if token != "":
            identity = json.dumps({"token": token or user, "name": user, "device": name})
            await context.add_init_script(
                _once(f"localStorage['threadline.identity'] = {json.dumps(identity)}")
            )
        await device.new_page()
        return device

    async def new_page(self) -> None:
        self.page = await self.context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", self._failed)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(text in message.text for text in self.expected):
            self.complaints.append(message.text)

    def _failed(self, error: Error) -> None:
        self.complaints.append(str(error))

    async def open(self, session: str, *, saved: bool = True) -> None:
        await self.page.goto(f"{self.url}/#/s/{session}")
        await self.by("composer").wait_for()
        if saved:
            await self.is_saved()

    async def close_page(self) -> None:
        await self.page.close()

    def by(self, test_id: str) -> Locator:
        return self.page.get_by_test_id(test_id)

    # what one does

    async def send(self, text: str) -> None:
        await self.by("composer").fill(text)
        await self.by("composer").press("Enter")

    async def type_draft(self, text: str) -> None:
        await self.by("composer").fill(text)

    async def set_state(self, key: str, value: str) -> None:
        await self.show_panel()
        await self.by("new-key").fill(key)
        await self.by("new-value").fill(value)
        await self.by("add-key").click()

    async def show_panel(self) -> None:
        if not await self.by("panel").is_visible():
            await self.by("toggle-panel").click()

    async def go_offline(self) -> None:
        await self.context.set_offline(True)
        await self.word("offline")

    async def come_back(self) -> None:
        await self.context.set_offline(False)

    # what one sees

    async def word(self, word: str) -> None:
        await expect(self.by("saved")).to_have_attribute("data-word", word, timeout=TIMEOUT_MS)

    async def is_saved(self) -> None:
        await self.word("saved")

    async def texts(self, role: str = "user") -> list[str]:
        """The messages of a role, as they are shown, from the first to the last."""
        part = ".bubble" if role == "user" else "[data-testid=text]"
        found = self.page.locator(f"[data-testid=message][data-role={role}] {part}")
        return [text.strip() for text in await found.all_inner_texts()]

    async def sees(self, text: str) -> None:
        await self.by("transcript").get_by_text(text).first.wait_for()

    async def finished_answers(self, count: int) -> list[str]:
        """Once there are `count` answers, all complete, what they say."""
        answers = self.page.locator("[data-testid=message][data-role=assistant][data-status=complete]")
        await expect(answers).to_have_count(count, timeout=2 * TIMEOUT_MS)
        return await self.texts("assistant")

    async def digest(self) -> str:
        digest = await self.page.evaluate("window.threadline.digest()")
        assert isinstance(digest, str)
        return digest


def _once(script: str) -> str:
    """Of the pages of a context the first one runs it: what a page stores later is not undone by a reload."""
    return f"if (!localStorage['tests.begun']) {{ localStorage['tests.begun'] = 'yes'; {script}; }}"


async def same_digest(*digests: Callable[[], Awaitable[str]]) -> str:
    """Waits until all replicas have the same content, and gives back its digest."""

    async def equal() -> str | None:
        found = {await digest() for digest in digests}
        return found.pop() if len(found) == 1 else None

    return await until("equal digests", equal)

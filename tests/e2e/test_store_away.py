"""The store is away while the server is there: one sees that nothing is stored, and loses nothing."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect
from tests.contract.redis_servers import RedisServer
from tests.e2e.conftest import watched_devices
from tests.server_process import ThreadlineProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_what_cannot_be_stored_is_said_and_stored_later(
    browser: Browser, web_page: Path, tmp_path: Path
) -> None:
    store = RedisServer(tmp_path).start()
    node = ThreadlineProcess("serve", "--port", "0", "--redis", store.url)
    try:
        async with watched_devices(browser, await node.start()) as devices:
            laptop = await devices.device("ada", "Laptop")
            await laptop.open("trip")
            await laptop.set_state("city", "Berlin")
            await laptop.is_saved()
            store.signal(signal.SIGSTOP)
            await laptop.set_state("nights", "2")
            await laptop.word("saving")
            await expect(laptop.by("saved")).to_have_text("Saving…")
            await expect(laptop.by("saved")).to_have_text("Could not save yet", timeout=15_000)
            await expect(laptop.by("banner")).to_contain_text("cannot store")
            await laptop.type_draft("goes on")
            store.signal(signal.SIGCONT)
            await laptop.is_saved()
            await expect(laptop.by("banner")).to_have_count(0)
            other = await devices.device("bob", "Other")
            await other.open("trip")
            await other.show_panel()
            await expect(other.page.locator("[data-key=nights]")).to_contain_text("2")
    finally:
        store.signal(signal.SIGCONT)
        await node.kill()
        store.kill()

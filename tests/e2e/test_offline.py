"""Edits without a network: they merge when it is back, also when the page was closed in between."""

from __future__ import annotations

import pytest
from playwright.async_api import expect
from tests.e2e.browser_device import same_digest
from tests.e2e.conftest import Devices
from tests.server_process import ServerProcess

import threadline
from threadline.live_session import LiveSession

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _digest(session: LiveSession) -> str:
    return session.document.digest()


async def test_edits_of_three_devices_merge_after_one_was_offline(
    demo: ServerProcess, devices: Devices
) -> None:
    phone = await devices.device("ada", "Pixel 9", phone=True)
    laptop = await devices.device("bob", "Laptop")
    await phone.open("trip")
    await laptop.open("trip")
    async with threadline.connect(demo.url, token="eve", device="Terminal") as client:
        session = await client.open("trip")
        await phone.go_offline()
        await phone.send("Find hotels in Lisbon")
        await phone.type_draft("and under $100")
        await phone.set_state("cart", '["pen"]')
        await expect(phone.by("saved")).to_have_text("Offline, 2 changes waiting")

        await laptop.set_state("cart", '["ink"]')
        await laptop.send("Find hotels in Berlin")
        await laptop.finished_answers(1)
        session["budget"] = 150
        session.counters.add("views", 2)
        await session.saved()

        await phone.come_back()
        await phone.is_saved()
        await phone.finished_answers(2)
        await same_digest(phone.digest, laptop.digest, lambda: _digest(session))
        assert sorted(session["cart"]) == ["ink", "pen"]
        assert sorted(await phone.texts()) == ["Find hotels in Berlin", "Find hotels in Lisbon"]
        await expect(phone.by("composer")).to_have_value("and under $100")


async def test_edits_of_a_page_closed_offline_are_sent_when_it_opens_again(devices: Devices) -> None:
    phone = await devices.device("ada", "Pixel 9", phone=True)
    laptop = await devices.device("bob", "Laptop")
    await phone.open("trip")
    await laptop.open("trip")
    await phone.go_offline()
    await phone.send("Find hotels in Lisbon")
    await phone.set_state("budget", "120")
    await phone.type_draft("half a thought")
    await phone.close_page()
    await laptop.set_state("city", "Lisbon")
    await laptop.is_saved()

    await phone.come_back()
    await phone.new_page()
    await phone.open("trip")
    await phone.finished_answers(1)
    await same_digest(phone.digest, laptop.digest)
    assert await laptop.texts() == ["Find hotels in Lisbon"]
    await expect(phone.by("composer")).to_have_value("half a thought")
    await expect(laptop.page.locator("[data-key=budget]")).to_contain_text("120")


async def test_a_page_opened_again_without_a_network_shows_its_copy_and_takes_edits(devices: Devices) -> None:
    phone = await devices.device("ada", "Pixel 9", phone=True)
    laptop = await devices.device("bob", "Laptop")
    await laptop.open("trip")
    await phone.open("trip")
    await phone.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await phone.set_state("budget", "120")
    await phone.is_saved()
    await phone.go_offline()
    await phone.close_page()

    await phone.new_page()
    await phone.open("trip", saved=False)
    await phone.word("offline")
    await phone.show_panel()
    await expect(phone.page.locator("[data-key=budget]")).to_contain_text("120")
    await phone.set_state("city", "Berlin")
    await phone.come_back()
    await phone.is_saved()
    await same_digest(phone.digest, laptop.digest)
    await expect(laptop.page.locator("[data-key=city]")).to_contain_text("Berlin")


async def test_a_killed_server_loses_nothing(demo: ServerProcess, devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    await laptop.open("trip")
    await laptop.set_state("budget", "150")
    await laptop.is_saved()
    port = demo.url.rpartition(":")[2]
    await demo.kill()
    await laptop.word("offline")
    await laptop.set_state("city", "Berlin")
    demo.arguments = (*demo.arguments, "--port", port)
    await demo.start()
    await laptop.is_saved()
    other = await devices.device("bob", "Other")
    await other.open("trip")
    await same_digest(laptop.digest, other.digest)
    await other.show_panel()
    await expect(other.page.locator("[data-key=city]")).to_contain_text("Berlin")
    await expect(other.page.locator("[data-key=budget]")).to_contain_text("150")

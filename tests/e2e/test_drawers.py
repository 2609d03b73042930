"""The timeline, which shows a session at any moment of its log, and what is under the hood."""

from __future__ import annotations

import pytest
from playwright.async_api import expect
from tests.e2e.axe import violations
from tests.e2e.conftest import Devices


@pytest.mark.asyncio
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
    assert await violations(laptop.page) == []
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


@pytest.mark.asyncio
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
    assert await violations(laptop.page) == []

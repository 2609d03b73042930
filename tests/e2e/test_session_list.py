"""The list of conversations: search, rename, export, delete, parts under their whole, and the keyboard."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.async_api import expect
from tests.e2e.conftest import Devices
from tests.server_process import ServerProcess

import threadline

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_conversation_is_renamed_found_and_deleted_on_every_device(devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    phone = await devices.device("ada", "Pixel 9", phone=True)
    await laptop.open("other")
    await laptop.send("Hello")
    await laptop.finished_answers(1)
    await laptop.open("trip")
    await phone.open("trip")
    await laptop.by("session-options").first.click()
    await laptop.by("rename").fill("Autumn in Berlin")
    await laptop.by("rename").press("Enter")
    await expect(laptop.by("session-dialog")).to_have_count(0)
    await expect(laptop.by("title")).to_have_text("Autumn in Berlin")
    await expect(phone.by("title")).to_have_text("Autumn in Berlin")
    await laptop.page.keyboard.press("Control+K")
    await expect(laptop.by("search")).to_be_focused()
    await laptop.by("search").fill("berlin autumn")
    await expect(laptop.by("session-link")).to_have_count(1)
    await laptop.by("search").press("Escape")
    await expect(laptop.by("session-link")).to_have_count(2)
    await laptop.page.locator("li", has_text="Autumn").get_by_test_id("session-options").click()
    await laptop.by("delete").click()
    await expect(laptop.by("session-dialog")).to_contain_text("Autumn in Berlin")
    await laptop.by("delete-for-good").click()
    await expect(laptop.by("session-link")).to_have_count(1)
    await expect(phone.by("banner")).to_have_attribute("data-code", "4410")


async def test_a_conversation_that_nobody_named_is_called_by_its_first_words_everywhere(
    devices: Devices,
) -> None:
    laptop = await devices.device("ada", "Laptop")
    await laptop.open("trip")
    await laptop.send("Find hotels in Berlin")
    await laptop.finished_answers(1)
    await laptop.send("Under $150")
    await laptop.finished_answers(2)
    await laptop.is_saved()
    phone = await devices.device("ada", "Pixel 9", phone=True)
    await phone.page.goto(phone.url)
    await expect(phone.by("session-link").locator(".title")).to_have_text("Find hotels in Berlin")


async def test_a_conversation_is_exported(devices: Devices, tmp_path: Path) -> None:
    laptop = await devices.device("ada", "Laptop")
    await laptop.open("trip")
    await laptop.send("Find hotels in Berlin")
    await laptop.finished_answers(1)
    for form in ("json", "markdown"):
        await laptop.by("session-options").first.click()
        async with laptop.page.expect_download() as download:
            await laptop.by(f"export-{form}").click()
        await (await download.value).save_as(tmp_path / form)
        await expect(laptop.by("session-dialog")).to_have_count(0)
    exported = json.loads((tmp_path / "json").read_text())
    assert [message["role"] for message in exported["messages"]] == ["user", "assistant"]
    assert "\n\nFind hotels in Berlin\n\n" in (tmp_path / "markdown").read_text()


async def test_a_part_stands_under_its_whole(demo: ServerProcess, devices: Devices) -> None:
    async with threadline.connect(demo.url, token="ada") as client:
        await client.sessions.create(id="trip", title="Trip")
        await client.sessions.create(id="flights", title="Flights", parent="trip")
        await client.sessions.create(id="newest", title="Newest")
    laptop = await devices.device("ada", "Laptop")
    await laptop.page.goto(laptop.url)
    titles = laptop.page.locator("[data-testid=session-link] .title")
    await expect(titles).to_have_text(["Newest", "Trip", "Flights"])
    await expect(laptop.page.locator("li.part")).to_have_count(1)


async def test_the_question_mark_lists_the_keys(devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    await laptop.open("trip")
    await laptop.by("composer").press_sequentially("why?")
    await expect(laptop.by("keys")).to_have_count(0)
    await laptop.by("transcript").focus()
    await laptop.page.keyboard.press("?")
    await expect(laptop.by("keys")).to_be_visible()
    await laptop.page.keyboard.press("Escape")
    await expect(laptop.by("keys")).to_have_count(0)

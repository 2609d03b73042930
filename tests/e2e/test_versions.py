"""Messages that were edited and answers that were asked for again, and what waits while the agent is busy."""

from __future__ import annotations

import pytest
from playwright.async_api import expect
from tests.e2e.browser_device import BrowserDevice, same_digest
from tests.e2e.conftest import Devices

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_edited_message_has_versions_to_turn_between(devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    phone = await devices.device("ada", "Pixel 9", phone=True)
    await laptop.open("trip")
    await phone.open("trip")
    for number, text in enumerate(("Find hotels in Berlin", "What can you do?"), 1):
        await laptop.send(text)
        await laptop.finished_answers(number)
    await laptop.page.locator("[data-role=user]").first.hover()
    await laptop.by("edit").first.click()
    await laptop.by("edit-text").fill("Find hotels in Lisbon")
    await laptop.by("edit-text").press("Enter")
    for device in (laptop, phone):
        (answer,) = await _answers_in(device, "Lisbon")
        assert "Berlin" not in answer
        assert await device.texts() == ["Find hotels in Lisbon"]
        await expect(device.by("versions")).to_have_text("2/2")
    await phone.by("previous-version").click()
    await expect(phone.by("versions")).to_have_text("1/2")
    assert await phone.texts() == ["Find hotels in Berlin", "What can you do?"]
    assert await laptop.texts() == ["Find hotels in Lisbon"]
    await phone.send("In Paris instead")
    for device in (laptop, phone):
        await device.sees("In Paris instead")
        await device.finished_answers(3)
        assert await device.texts() == ["Find hotels in Berlin", "What can you do?", "In Paris instead"]
    await same_digest(laptop.digest, phone.digest)


async def _answers_in(device: BrowserDevice, city: str) -> list[str]:
    await device.sees(f"Find hotels in {city}")
    return await device.finished_answers(1)


async def test_an_answer_is_asked_for_again_and_both_stay(devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    await laptop.open("trip")
    await laptop.send("Find hotels in Berlin")
    await laptop.finished_answers(1)
    await laptop.by("again").click()
    await expect(laptop.by("versions")).to_have_text("2/2")
    await laptop.finished_answers(1)
    await laptop.by("previous-version").click()
    await expect(laptop.by("versions")).to_have_text("1/2")


async def test_arrow_up_edits_the_last_message_and_escape_leaves_it(devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    await laptop.open("trip")
    await laptop.send("Find hotels in Berlin")
    await laptop.finished_answers(1)
    await laptop.by("composer").press("ArrowUp")
    await expect(laptop.by("edit-text")).to_have_value("Find hotels in Berlin")
    await laptop.by("edit-text").press("Escape")
    await expect(laptop.by("edit-text")).to_have_count(0)
    await expect(laptop.by("composer")).to_be_focused()


class TestBusyAgent:
    @pytest.fixture
    def agent(self) -> str:
        return "tests.e2e.agents:slow"

    async def test_questions_wait_in_line_and_answers_stand_beneath_them(self, devices: Devices) -> None:
        laptop = await devices.device("ada", "Laptop")
        phone = await devices.device("ada", "Pixel 9", phone=True)
        await laptop.open("trip")
        await phone.open("trip")
        await laptop.send("Find hotels in Berlin")
        await laptop.by("stop").wait_for()
        await laptop.send("Find hotels in Lisbon")
        await laptop.send("Find hotels in Paris")
        await expect(phone.by("queue").locator("li")).to_have_count(2)
        await expect(phone.by("queue")).to_contain_text("Next in line")
        await phone.by("unqueue").last.click()
        await expect(laptop.by("queue").locator("li")).to_have_count(1)
        await laptop.finished_answers(2)
        roles = await laptop.page.locator("[data-testid=message]").evaluate_all(
            "messages => messages.map(message => message.dataset.role)"
        )
        assert roles[:4] == ["user", "assistant", "user", "assistant"]

    async def test_a_message_may_stop_what_is_being_answered(self, devices: Devices) -> None:
        laptop = await devices.device("ada", "Laptop")
        await laptop.open("trip")
        await laptop.send("Find hotels in Berlin")
        await laptop.by("on-busy").select_option("interrupt")
        await laptop.send("Find hotels in Lisbon")
        await laptop.by("stopped").first.wait_for()
        (answer,) = await laptop.finished_answers(1)
        assert answer
        await expect(laptop.by("again")).to_have_count(1)

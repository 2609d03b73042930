"""One session on three devices with an agent in it: two browsers and a Python client."""

from __future__ import annotations

import pytest
from playwright.async_api import Locator, expect
from tests.e2e.browser_device import BrowserDevice, same_digest
from tests.e2e.conftest import Devices
from tests.e2e.until import until
from tests.server_process import ServerProcess

import threadline
from threadline.live_session import LiveSession

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASKED = "Find hotels in Berlin"


async def _digest(session: LiveSession) -> str:
    return session.document.digest()


@pytest.mark.row("S1-39")
async def test_an_answer_streams_into_two_browsers_and_a_python_client(
    demo: ServerProcess, devices: Devices
) -> None:
    laptop = await devices.device("ada", "Laptop")
    phone = await devices.device("ada", "Pixel 9", phone=True)
    await laptop.open("trip")
    await phone.open("trip")
    async with threadline.connect(demo.url, token="bob", device="Terminal") as client:
        session = await client.open("trip")
        await laptop.send(ASKED)
        for device in (laptop, phone):
            await device.sees(ASKED)
            (answer,) = await device.finished_answers(1)
            assert "Berlin" in answer
        run = await until("the run in Python", lambda: _last_run(session))
        kinds = [event.type async for event in run.events()]
        assert kinds[0] == "session_start"
        assert "tool_call" in kinds
        assert kinds[-1] == "done"
        await same_digest(laptop.digest, phone.digest, lambda: _digest(session))
        assert [message.role for message in session.messages] == ["user", "assistant"]
        await expect(laptop.by("presence")).to_contain_text("bob on Terminal")


async def _last_run(session: LiveSession) -> threadline.Run | None:
    latest = session.runs.latest()
    return None if latest is None else session.run(latest.id)


@pytest.mark.row("S1-36")
async def test_a_conversation_goes_on_from_device_to_device(devices: Devices) -> None:
    phone = await devices.device("ada", "Pixel 9", phone=True)
    laptop = await devices.device("ada", "Laptop")
    await phone.open("trip")
    await phone.send(ASKED)
    await phone.finished_answers(1)
    await phone.type_draft("Under $150")
    await laptop.open("trip")
    await expect(laptop.by("composer")).to_have_value("Under $150")
    await laptop.send("Under $150 a night")
    await expect(phone.by("composer")).to_have_value("")
    assert len(await phone.finished_answers(2)) == 2
    await same_digest(phone.digest, laptop.digest)
    assert await phone.texts() == await laptop.texts() == [ASKED, "Under $150 a night"]


async def test_state_is_edited_seen_and_taken_back(devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    phone = await devices.device("bob", "Pixel 9", phone=True)
    await laptop.open("trip")
    await phone.open("trip")
    await laptop.set_state("trip", '{"city": "Berlin", "nights": 2}')
    await phone.show_panel()
    await expect(_row(phone, "trip/city")).to_contain_text("Berlin")
    await _row(phone, "trip/city").get_by_test_id("state-value").click()
    await phone.by("state-editor").fill("Lisbon")
    await phone.by("state-editor").press("Enter")
    await expect(_row(laptop, "trip/city")).to_contain_text("Lisbon")
    await expect(_row(laptop, "trip/nights")).to_contain_text("2")
    await phone.by("undo").click()
    await expect(_row(laptop, "trip/city")).to_contain_text("Berlin")
    await same_digest(laptop.digest, phone.digest)


def _row(device: BrowserDevice, path: str) -> Locator:
    return device.page.locator(f"[data-testid=state-row][data-key='{path}']").last

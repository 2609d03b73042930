"""Leaving in the middle of an answer: it goes on, once."""

from __future__ import annotations

import pytest
from playwright.async_api import expect
from tests.e2e.browser_device import BrowserDevice, same_digest
from tests.e2e.conftest import Devices
from tests.server_process import ServerProcess

import threadline

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASKED = "Find hotels in Berlin"


@pytest.fixture
def agent() -> str:
    return "tests.e2e.agents:slow"


async def _started(device: BrowserDevice) -> None:
    """The answer has its first words, or at least its first step."""
    await device.page.locator("[data-testid=agent-chip], [data-role=assistant]").first.wait_for()


async def test_a_reload_in_the_middle_of_an_answer(demo: ServerProcess, devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    witness = await devices.device("bob", "Witness")
    await witness.open("trip")
    await laptop.open("trip")
    await laptop.send(ASKED)
    await _started(laptop)
    await laptop.page.reload()
    (answer,) = await laptop.finished_answers(1)
    assert [answer] == await witness.finished_answers(1)
    await same_digest(laptop.digest, witness.digest)
    async with threadline.connect(demo.url, token="eve") as client:
        session = await client.open("trip")
        assert len(session.runs) == 1
        assert len(session.messages) == 2


async def test_the_asking_page_is_closed_and_the_run_completes(demo: ServerProcess, devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    await laptop.open("trip")
    await laptop.send(ASKED)
    await laptop.is_saved()
    await laptop.close_page()
    async with threadline.connect(demo.url, token="ada", device="Terminal") as client:
        session = await client.open("trip")
        await session.until(lambda: session.runs.latest() is not None)
        latest = session.runs.latest()
        assert latest is not None
        assert await session.run(latest.id).wait(60) == "completed"
    phone = await devices.device("ada", "Pixel 9", phone=True)
    await phone.open("trip")
    assert len(await phone.finished_answers(1)) == 1
    await expect(phone.by("stop")).to_have_count(0)


async def test_the_server_is_restarted_in_the_middle_of_an_answer(
    demo: ServerProcess, devices: Devices
) -> None:
    laptop = await devices.device("ada", "Laptop")
    phone = await devices.device("ada", "Pixel 9", phone=True)
    await laptop.open("trip")
    await phone.open("trip")
    await laptop.send(ASKED)
    await _started(phone)
    port = demo.url.rpartition(":")[2]
    assert await demo.stop() == 0
    for device in (laptop, phone):
        await expect(device.by("banner")).to_contain_text("You are offline")
    await phone.type_draft("Under $150")
    demo.arguments = (*demo.arguments, "--port", port)
    await demo.start()
    for device in (laptop, phone):
        await device.is_saved()
        await expect(device.by("banner")).to_have_count(0)
        assert len(await device.finished_answers(1)) == 1
    await expect(laptop.by("composer")).to_have_value("Under $150")
    await same_digest(laptop.digest, phone.digest)

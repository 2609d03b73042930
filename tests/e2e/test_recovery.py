"""A replica that the server has refused: one sees why, keeps a copy, and goes on."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import WebSocketRoute, expect
from tests.e2e.browser_device import same_digest
from tests.e2e.conftest import Devices

from threadline.protocol import close_codes, hocuspocus

pytestmark = pytest.mark.asyncio(loop_scope="module")

REASON = close_codes.REPLICA_REJECTED.reason("state/agent:secret: written by the agent alone")


async def test_a_refused_replica_is_kept_and_reset(devices: Devices) -> None:
    phone = await devices.device("ada", "Pixel 9", phone=True)
    laptop = await devices.device("bob", "Laptop")
    sockets: list[WebSocketRoute] = []

    def pass_on(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    await phone.page.route_web_socket("**/sync", pass_on)
    await phone.open("trip")
    await laptop.open("trip")
    await phone.set_state("city", "Berlin")
    await phone.is_saved()
    sockets[-1].send(hocuspocus.encode("trip", hocuspocus.CloseDocument(REASON)))
    await expect(phone.by("banner")).to_have_attribute("data-code", "4409")
    await phone.word("failed")
    await expect(phone.by("composer")).to_be_disabled()
    await phone.page.get_by_label("Close").last.click()
    async with phone.page.expect_download() as downloading:
        await phone.by("keep-copy").click()
    kept = json.loads((await (await downloading.value).path()).read_text())
    assert kept["state"] == {"city": "Berlin"}

    await phone.by("reset-replica").click()
    await phone.is_saved()
    await expect(phone.by("banner")).to_have_count(0)
    await phone.send("Find hotels in Berlin")
    await phone.finished_answers(1)
    await same_digest(phone.digest, laptop.digest)


async def test_a_deleted_session_says_so(devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    await laptop.open("trip")
    await laptop.send("hello")
    await laptop.is_saved()
    answer = await laptop.context.request.delete(
        f"{laptop.url}/api/v1/sessions/trip", headers={"Authorization": "Bearer ada"}
    )
    assert answer.status == 204
    await expect(laptop.by("banner")).to_contain_text("deleted")
    await expect(laptop.by("keep-copy")).to_be_visible()

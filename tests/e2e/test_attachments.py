"""Files beside a message: chosen, pasted or dropped, shown on every device, and nothing in them acts."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from playwright.async_api import FilePayload, expect
from tests.e2e.axe import violations_light_and_dark
from tests.e2e.browser_device import BrowserDevice
from tests.e2e.conftest import Devices
from tests.server_process import ServerProcess

import threadline

pytestmark = pytest.mark.asyncio(loop_scope="module")

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PLAN = FilePayload(name="plan.csv", mimeType="text/csv", buffer=b"city,nights\nBerlin,2\n")
PICTURE = FilePayload(name="view.png", mimeType="image/png", buffer=PIXEL)
SCRIPT = "<script xmlns='http://www.w3.org/1999/xhtml'>top.hit=1</script>"
HOSTILE = [
    FilePayload(
        name="a.html", mimeType="text/html", buffer=f"<img src=x onerror=top.hit=1>{SCRIPT}".encode()
    ),
    FilePayload(
        name="a.svg",
        mimeType="image/svg+xml",
        buffer=f"<svg xmlns='http://www.w3.org/2000/svg' onload='top.hit=1'>{SCRIPT}</svg>".encode(),
    ),
    FilePayload(name="a.xml", mimeType="text/xml", buffer=f"<a>{SCRIPT}</a>".encode()),
    FilePayload(
        name="<img src=x onerror=window.hit=1>.png", mimeType="image/png", buffer=b"<svg onload=top.hit=1>"
    ),
]
PASTE = """(area) => {
  const data = new DataTransfer();
  data.items.add(new File(["pasted"], "pasted.txt", {type: "text/plain"}));
  area.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
}"""
DROP = """(target) => {
  const data = new DataTransfer();
  data.items.add(new File(["dropped"], "dropped.txt", {type: "text/plain"}));
  for (const type of ["dragover", "drop"]) {
    target.dispatchEvent(new DragEvent(type, {dataTransfer: data, bubbles: true, cancelable: true}));
  }
}"""


async def _attached(device: BrowserDevice, count: int) -> None:
    await expect(device.by("attaching").locator("[data-state=ready]")).to_have_count(count)


async def test_files_are_chosen_pasted_and_dropped_and_another_device_has_them(
    devices: Devices, tmp_path: Path
) -> None:
    laptop = await devices.device("ada", "Laptop")
    phone = await devices.device("bob", "Pixel 9", phone=True)
    await laptop.open("trip")
    await phone.open("trip")
    await laptop.by("attach-input").set_input_files([PLAN, PICTURE])
    await laptop.by("composer").evaluate(PASTE)
    await laptop.by("transcript").evaluate(DROP)
    await _attached(laptop, 4)
    await laptop.page.get_by_label("Do not send dropped.txt").click()
    await _attached(laptop, 3)
    assert await violations_light_and_dark(laptop.page) == []
    await laptop.send("What can you do?")
    await expect(laptop.by("attaching")).to_have_count(0)
    await phone.finished_answers(1)
    await expect(phone.by("file")).to_have_count(2)
    picture = phone.by("picture").locator("img")
    await picture.wait_for()
    assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1
    assert await violations_light_and_dark(phone.page) == []
    async with phone.page.expect_download() as downloading:
        await phone.by("file").first.click()
    download = await downloading.value
    assert download.suggested_filename == "plan.csv"
    await download.save_as(tmp_path / "plan.csv")
    assert (tmp_path / "plan.csv").read_bytes() == PLAN["buffer"]


async def test_a_message_may_be_a_file_alone(demo: ServerProcess, devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    await laptop.open("trip")
    await laptop.by("attach-input").set_input_files([PLAN])
    await _attached(laptop, 1)
    await laptop.by("send").click()
    await laptop.finished_answers(1)
    async with threadline.connect(demo.url, token="bob") as client:
        session = await client.open("trip")
        (named,) = session.messages[0].attachments
        assert isinstance(named, dict)
        assert await session.attachment(str(named["id"])) == PLAN["buffer"]


async def test_nothing_in_a_file_or_its_name_acts(demo: ServerProcess, devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    await laptop.open("trip")
    await laptop.by("attach-input").set_input_files(HOSTILE)
    await _attached(laptop, len(HOSTILE))
    await laptop.send("What can you do?")
    await laptop.finished_answers(1)
    await expect(laptop.by("file")).to_have_count(len(HOSTILE))
    async with threadline.connect(demo.url, token="eve") as client:
        session = await client.open("trip")
        files = [named for named in session.messages[0].attachments if isinstance(named, dict)]
        lies = [
            {**files[0], "type": "image/png"},
            {**files[1], "type": "image/png", "size": "<b>"},
            {"id": "../../../x", "name": "x"},
            {"id": "x", "name": {"a": 1}},
            "javascript:window.hit=1",
        ]
        session.add_message("user", "lies", attachments=lies)
        await session.saved()
    await laptop.sees("lies")
    await expect(laptop.by("file")).to_have_count(len(HOSTILE) + 2)
    for file in await laptop.by("file").all():
        async with laptop.page.expect_download():
            await file.click()
    assert await laptop.page.evaluate("window.hit") is None
    assert await laptop.page.locator("[data-testid=transcript] :is(script, iframe, svg[onload])").count() == 0


async def test_what_the_server_does_not_take_is_said_and_not_sent(devices: Devices) -> None:
    laptop = await devices.device("ada", "Laptop")
    await laptop.open("trip")
    large = FilePayload(name="large.bin", mimeType="application/octet-stream", buffer=b"x" * 4_194_305)
    await laptop.by("attach-input").set_input_files([large])
    await expect(laptop.by("attaching")).to_contain_text("Too large")
    await laptop.send("What can you do?")
    await laptop.finished_answers(1)
    await expect(laptop.by("attachments")).to_have_count(0)
    await laptop.go_offline()
    await laptop.by("attach-input").set_input_files([PLAN])
    await expect(laptop.by("attaching")).to_contain_text("Files need a connection")
    laptop.complaints = [text for text in laptop.complaints if "413" not in text]

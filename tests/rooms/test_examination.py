"""Sessions that end the process that reads them: known after the first time, read by a child, set aside."""

from __future__ import annotations

from pathlib import Path

import pytest
from pycrdt import Array, Doc, Map
from tests.rooms.devices import Device
from tests.rooms.houses import TRIP, House, until

from threadline.errors import SessionError
from threadline_server.backplane.base import DocumentName, Position
from threadline_server.rooms.examination import UnsafeDocument, examine
from threadline_server.rooms.load_marks import LoadMarks
from threadline_server.rooms.options import RoomOptions
from threadline_server.rooms.registry import Rooms

STRING_IN_AN_ARRAY = bytes.fromhex("0101010004000200" + "04f09f9880" + "00")
"""A string block with an emoji under the item (2, 0), which has to be an array: reading it never ends."""

OPTIONS = RoomOptions()


def deep(levels: int) -> bytes:
    """A value of arrays in arrays, which the reader recurses into until its stack ends."""
    value = b"\x75\x01" * levels + b"\x75\x00"
    return b"\x01\x01\x07\x00\x28\x01\x04meta\x01x\x01" + value + b"\x00"


@pytest.mark.asyncio
async def test_an_honest_document_passes() -> None:
    device = Device()
    device.write_message("hello 😀")
    await examine([device.doc.get_update()], OPTIONS)


@pytest.mark.asyncio
@pytest.mark.parametrize("update", [b"\x01\xff", deep(60_000), bytes.fromhex("8080808001")])
async def test_what_fails_or_kills_is_unsafe(update: bytes) -> None:
    with pytest.raises(UnsafeDocument):
        await examine([update], RoomOptions(examination_memory_bytes=400 << 20))


@pytest.mark.asyncio
async def test_what_hangs_is_unsafe() -> None:
    document: Doc[Map[object]] = Doc(client_id=2)
    document.get("state", type=Map)["/list"] = Array()
    updates = [document.get_update(), STRING_IN_AN_ARRAY]
    with pytest.raises(UnsafeDocument, match="took over"):
        await examine(updates, RoomOptions(examination_timeout_s=2.0))


def test_a_mark_left_behind_makes_a_suspect(tmp_path: Path) -> None:
    marks = LoadMarks(tmp_path)
    assert not marks.is_suspect(TRIP)
    marks._write(TRIP)
    assert LoadMarks(tmp_path).is_suspect(TRIP)
    assert not LoadMarks(tmp_path).is_suspect(DocumentName("other"))


@pytest.mark.asyncio
async def test_a_load_that_ends_leaves_no_mark(house: House, tmp_path: Path) -> None:
    await house.create()
    marks = LoadMarks(tmp_path / "marks")
    async with Rooms(house.backplane, marks=marks) as rooms:
        await rooms.open(TRIP)
        assert list((tmp_path / "marks").iterdir()) == []


@pytest.mark.asyncio
async def test_a_suspect_that_can_be_read_is_served(house: House, tmp_path: Path) -> None:
    phone = Device().join(await house.room())
    phone.say("hello")
    await until(lambda: phone.unsaved == 0)
    LoadMarks(tmp_path / "marks")._write(TRIP)
    marks = LoadMarks(tmp_path / "marks")
    async with Rooms(house.backplane, marks=marks) as rooms:
        laptop = Device().join(await rooms.open(TRIP))
        assert laptop.texts == ["hello"]
    assert not marks.is_suspect(TRIP)


@pytest.mark.asyncio
async def test_a_suspect_that_cannot_be_read_is_set_aside_and_the_node_lives_on(tmp_path: Path) -> None:
    async with House(tmp_path / "data") as house:
        await house.create()
        await house.create("other")
        phone = Device().join(await house.room())
        phone.say("hello")
        await until(lambda: phone.unsaved == 0)
        stored = await house.backplane.load(TRIP)
        assert stored.updates()
        await house.backplane.compact(TRIP, "lineage-trip", deep(60_000), b"", Position(1))
        LoadMarks(tmp_path / "marks")._write(TRIP)
        reports: list[str] = []
        marks = LoadMarks(tmp_path / "marks")
        async with Rooms(
            house.backplane, marks=marks, report=lambda message, document, error: reports.append(message)
        ) as rooms:
            for _ in range(2):
                with pytest.raises(SessionError, match="set aside"):
                    await rooms.open(TRIP)
            assert (await rooms.open(DocumentName("other"))).closed is None
        assert reports == ["A session is set aside"]
        assert LoadMarks(tmp_path / "marks").is_suspect(TRIP)

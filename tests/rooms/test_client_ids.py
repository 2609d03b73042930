"""Client ids that others see: nobody takes one that is somebody else's, by writing or by being there."""

from __future__ import annotations

import pytest
from pycrdt import Doc, Map
from tests.rooms.devices import Device
from tests.rooms.houses import House, until

from threadline.protocol import close_codes
from threadline.protocol.awareness import AwarenessEntry, encode_awareness


def written_as(client: int) -> bytes:
    """An update that a device with this client id would begin with."""
    doc: Doc[Map[object]] = Doc(client_id=client)
    doc.get("state", type=Map)["/city"] = "Paris"
    return doc.get_update()


@pytest.mark.asyncio
@pytest.mark.parametrize("whole", [False, True])
async def test_a_client_id_that_is_here_is_not_claimed_by_another_user(house: House, whole: bool) -> None:
    room = await house.room()
    ada, eve, bob = Device("ada").join(room), Device("eve").join(room), Device("bob").join(room)
    ada.announce(cursor=1)
    await until(lambda: ada.doc.client_id in eve.present)
    eve.send(written_as(ada.doc.client_id), whole=whole)
    await until(lambda: eve.closed is not None)
    assert eve.closed is not None and eve.closed[0] == close_codes.REPLICA_REJECTED.code
    assert "another user's" in eve.closed[1]
    ada.say("still mine")
    await until(lambda: ada.unsaved == 0)
    assert ada.closed is None
    assert "/city" not in room.document().get("state", type=Map)
    assert bob.closed is None


@pytest.mark.asyncio
async def test_another_device_of_the_same_user_may_go_on_under_it(house: House) -> None:
    room = await house.room()
    phone, other = Device("ada").join(room), Device("ada", device="laptop").join(room)
    phone.announce()
    other.send(written_as(phone.doc.client_id))
    await until(lambda: other.unsaved == 0)
    assert other.closed is None
    assert room.document().get("state", type=Map)["/city"] == "Paris"


@pytest.mark.asyncio
async def test_a_client_id_is_anybodys_again_once_its_device_has_left(house: House) -> None:
    room = await house.room()
    ada, eve = Device("ada").join(room), Device("eve").join(room)
    ada.announce()
    room.leave(ada)
    eve.send(written_as(ada.doc.client_id))
    await until(lambda: eve.unsaved == 0)
    assert eve.closed is None


@pytest.mark.asyncio
async def test_who_wrote_under_a_client_id_is_who_is_here_under_it(house: House) -> None:
    room = await house.room()
    ada, eve = Device("ada").join(room), Device("eve").join(room)
    ada.say("mine")
    await until(lambda: ada.unsaved == 0)
    forged = encode_awareness([AwarenessEntry(ada.doc.client_id, 9, {"says": "ada"})])
    room.receive_awareness(eve, forged)
    eve.announce(says="eve")
    await until(lambda: eve.doc.client_id in ada.present)
    assert ada.doc.client_id not in ada.present
    ada.announce(says="ada herself")
    await until(lambda: ada.doc.client_id in eve.present)
    entry = eve.present[ada.doc.client_id]
    assert entry.state is not None and entry.state["user"] == "ada"

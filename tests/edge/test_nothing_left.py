"""What has ended is gone at once: the cycle collector, which may come by after hours, has nothing to do."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.edge.sync_server import SyncServer, sync_server
from tests.raw_device import raw_device
from tests.waiting import until

from threadline.protocol import close_codes
from threadline_server.backplane.follower import Follower
from threadline_server.backplane.opening import Opening
from threadline_server.edge.connection import Connection
from threadline_server.edge.frame_reader import FrameReader
from threadline_server.edge.hocuspocus_channel import HocuspocusChannel
from threadline_server.edge.hocuspocus_socket import HocuspocusSocket
from threadline_server.rooms.replica import Replica
from threadline_server.rooms.room import Room
from threadline_server.rooms.room_log import RoomLog
from threadline_server.rooms.seat import Seat

pytestmark = pytest.mark.asyncio

KINDS = (
    Connection,
    FrameReader,
    HocuspocusSocket,
    HocuspocusChannel,
    Room,
    RoomLog,
    Seat,
    Follower,
    Opening,
    Replica,
)


@contextmanager
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def left() -> Counter[str]:
    return Counter(type(each).__name__ for each in gc.get_objects() if type(each) in KINDS)


async def come_and_go(server: SyncServer, session: str) -> None:
    async with raw_device(server.url, session, "ada") as ada:
        await ada.set("/city", "Berlin")
        await ada.until_saved()
        await ada.send_text("no binary frame")
        await ada.until_closed()


@pytest.mark.parametrize("sealed", [False, True], ids=["open", "sealed"])
async def test_connections_and_rooms_go_with_their_last_reference(tmp_path: Path, sealed: bool) -> None:
    async with sync_server(tmp_path, sealed=sealed) as server:
        await come_and_go(server, "first")
        with without_collector():
            for number in range(10):
                await come_and_go(server, f"trip-{number}")
            await until(lambda: len(server.connections) == 0, "all sockets are closed")
            for room in server.rooms:
                room.close(close_codes.NORMAL)
            del room
            await until(lambda: not left(), "all of it is gone", told=lambda: str(left()))

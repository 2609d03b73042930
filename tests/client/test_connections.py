"""More sessions than a server takes on one socket, and more at once than it lets wait."""

from __future__ import annotations

import asyncio

import pytest
from tests.client.conftest import PATIENCE_S, Connect, Place, until

from threadline.protocol.limits import DEFAULT_LIMITS

SESSIONS = DEFAULT_LIMITS.max_documents_per_socket // 2 + 10  # each is two documents


@pytest.mark.asyncio
async def test_more_sessions_than_a_socket_takes_are_opened_at_once(connect: Connect) -> None:
    async with connect("ada") as ada, connect("bob") as bob:
        sessions = await asyncio.gather(*(ada.open(f"s{number}") for number in range(SESSIONS)))
        assert all(session.is_live for session in sessions)
        assert ada.connections.sockets == 2
        for number in (0, SESSIONS - 1):
            sessions[number]["seen"] = number
            await sessions[number].saved(PATIENCE_S)
            other = await bob.open(f"s{number}")
            assert other["seen"] == number
        for session in sessions:
            await session.close()
        assert ada.connections.sockets == 1
        again = await ada.open("s0")
        assert again["seen"] == 0


@pytest.mark.asyncio
async def test_every_socket_comes_back(place: Place) -> None:
    await place.start(max_documents_per_socket=4)
    async with place.connect("ada") as ada:
        await ada.open("s0")  # the hello says how many documents a socket may have
        sessions = await asyncio.gather(*(ada.open(f"s{number}") for number in range(7)))
        assert ada.connections.sockets == 4
        await place.stop()
        for session in sessions:
            await until(session, lambda s=session: not s.is_live)  # type: ignore[misc]
            session["written"] = "offline"
        await place.start(max_documents_per_socket=4)
        await asyncio.gather(*(session.saved(PATIENCE_S) for session in sessions))
        assert all(session.is_live for session in sessions)
        assert ada.connections.problem == ""

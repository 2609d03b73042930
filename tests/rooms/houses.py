"""A node's rooms with their store, which can be shut and opened again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from threadline.ids import SessionId
from threadline_server.backplane.base import DocumentName, SessionRecord
from threadline_server.backplane.embedded import EmbeddedBackplane
from threadline_server.rooms.options import RoomOptions
from threadline_server.rooms.registry import Rooms
from threadline_server.rooms.room import Room
from threadline_server.rooms.turns import FOR_EVER

TRIP = DocumentName("trip")
DEADLINE_S = 30.0


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop turn until something is so."""
    async with asyncio.timeout(DEADLINE_S):
        while not holds():  # noqa: ASYNC110  (what is waited for has no event of its own)
            await asyncio.sleep(0.001)


class House:
    """`rooms` are those of one node, `other` those of a second. Failures that rooms reported are in
    `reports`, which must be empty in the end. What is sent is judged before `send` comes back, however slow
    the machine is just now.
    """

    def __init__(self, directory: Path, options: RoomOptions | None = None) -> None:
        self.directory = directory
        self.options = options or RoomOptions()
        self.reports: list[str] = []
        self.now_s = 1000.0

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shut()
        assert self.reports == []

    async def open(self) -> None:
        self._stack = AsyncExitStack()
        self.backplane = EmbeddedBackplane(self.directory)
        await self.backplane.open()
        self._stack.push_async_callback(self.backplane.close)
        self.rooms = await self._stack.enter_async_context(self._make())
        self.other = await self._stack.enter_async_context(self._make())

    def _make(self) -> Rooms:
        rooms = Rooms(
            self.backplane,
            self.options,
            now_s=lambda: self.now_s,
            report=lambda message, document, error: self.reports.append(f"{message}: {error!r}"),
        )
        rooms.host.turns.at_once_ns = FOR_EVER
        return rooms

    async def shut(self) -> None:
        await self._stack.aclose()

    async def reopen(self) -> None:
        await self.shut()
        await self.open()

    async def create(self, session: str = "trip", owner: str = "ada") -> None:
        await self.backplane.create_session(
            SessionRecord(SessionId(session), f"lineage-{session}", owner, 1, 1)
        )

    async def room(self, session: str = "trip") -> Room:
        """The room of a session, which is created if need be."""
        await self.create(session)
        return await self.rooms.open(DocumentName(session))

    async def other_room(self) -> Room:
        return await self.other.open(TRIP)

    async def unload(self, room: Room) -> None:
        """Let the grace period pass, once no base is being made: a room is not idle before."""
        await until(lambda: room.log.tail.durable and room.interlude is None and not room.compacting)
        self.now_s += self.options.grace_s + 1
        await self.rooms.sweep()
        assert room.closed is not None

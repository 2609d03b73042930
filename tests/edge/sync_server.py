"""A real node without HTTP: embedded store, rooms and both socket routes on a free port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from tests.edge.echo_server import listening

from threadline.ids import uuid7
from threadline.protocol.limits import DEFAULT_LIMITS, Limits
from threadline_server.backplane.base import Backplane
from threadline_server.backplane.embedded.store import EmbeddedBackplane
from threadline_server.backplane.embedded.syncer import sync_file
from threadline_server.backplane.master_keys import new_line, parse_master_keys
from threadline_server.backplane.sealed import SealedBackplane
from threadline_server.edge.access import Access
from threadline_server.edge.admission import Admission
from threadline_server.edge.authentication import TrustingAuthenticator
from threadline_server.edge.connections import Connections
from threadline_server.edge.entrance import Entrance
from threadline_server.edge.origins import Origins
from threadline_server.edge.socket_routes import socket_routes
from threadline_server.rooms.options import RoomOptions
from threadline_server.rooms.registry import Rooms

NOW_MS = 1_700_000_000_000


@dataclass
class SyncServer:
    backplane: Backplane
    rooms: Rooms
    connections: Connections
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def sync_server(
    data: Path,
    *,
    limits: Limits = DEFAULT_LIMITS,
    open_to_all: bool = True,
    sync: Callable[[int], None] = sync_file,
    sealed: bool = False,
) -> AsyncIterator[SyncServer]:
    """`sync` makes the file behind a descriptor durable, in a thread; a test may make it wait."""
    backplane: Backplane = EmbeddedBackplane(data, sync=sync)
    if sealed:
        backplane = SealedBackplane(backplane, parse_master_keys(new_line(), "the test"))
    await backplane.open()
    async with asyncio.TaskGroup() as tasks, Rooms(backplane, RoomOptions(limits=limits)) as rooms:
        access = Access(backplane, open_to_all=open_to_all, now_ms=lambda: NOW_MS, new_lineage=uuid7)
        admission = Admission(
            TrustingAuthenticator(), access, rooms.open, durability=backplane.durability, limits=limits
        )
        connections = Connections(limits, 1000, rooms.host.turns)
        entrance = Entrance(admission, connections, tasks)
        server = SyncServer(backplane, rooms, connections)
        app = Starlette(routes=socket_routes(lambda: entrance, Origins()))
        async with listening(app) as server.port:
            yield server
    await backplane.close()

"""What every socket of this node shares: admission, limits, the other sockets, and where its tasks run."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from threadline.protocol.limits import Limits
from threadline_server.edge.admission import Admission
from threadline_server.edge.connections import Connections
from threadline_server.edge.occupancy import Occupancy


class Entrance:
    """Tasks are spawned into `tasks` and handle their own errors; there is one per document being opened."""

    def __init__(
        self,
        admission: Admission,
        connections: Connections,
        tasks: asyncio.TaskGroup,
        *,
        users: Occupancy | None = None,
        addresses: Occupancy | None = None,
    ) -> None:
        """`users` and `addresses` count what each has open; without them nobody is counted."""
        self.admission = admission
        self.connections = connections
        self.users = users or Occupancy("", 0)
        self.addresses = addresses or Occupancy("", 0)
        self._tasks = tasks

    @property
    def limits(self) -> Limits:
        return self.connections.limits

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._tasks.create_task(work)

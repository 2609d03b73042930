"""What every socket of this node shares: admission, limits, the other sockets, and where its tasks run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

import structlog

from threadline.protocol.hocuspocus import Authenticate
from threadline.protocol.limits import Limits
from threadline_server.edge.admission import Admission
from threadline_server.edge.connections import Connections
from threadline_server.edge.handshakes import Handshakes
from threadline_server.edge.occupancy import Occupancy
from threadline_server.rooms.turns import Account

_OPENING_NS = 300_000
"""About what the opening of a document takes of the loop."""

Work: TypeAlias = Callable[[str, Authenticate], Coroutine[Any, Any, None]]

_log = structlog.get_logger()


class Entrance:
    """Tasks are spawned into `tasks`; there is one per document being opened."""

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
        self._openings = Handshakes()

    @property
    def limits(self) -> Limits:
        return self.connections.limits

    def spawn(self, work: Work, name: str, message: Authenticate, account: Account) -> asyncio.Task[None]:
        """`account` is whose work that is."""
        return self._tasks.create_task(self._guarded(work, name, message, account))

    async def _guarded(self, work: Work, name: str, message: Authenticate, account: Account) -> None:
        """An error that nobody foresaw ends the opening of one document, not the node."""
        place = await self._openings.turn()
        try:
            turns = self.connections.turns
            await turns.turn(account)
            turns.note(account, _OPENING_NS)
            await work(name, message)
        except Exception as error:  # noqa: BLE001 - the edge of the process
            _log.error("a document could not be opened", exc_info=error)
        finally:
            place.leave()

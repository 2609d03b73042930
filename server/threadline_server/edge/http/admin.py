"""`/api/v1/admin`: what operators see of the server, read-only, and never what was said."""

import itertools
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from threadline.errors import Forbidden
from threadline_server.backplane.base import Backplane, SessionQuery, SessionRecord
from threadline_server.edge.authentication import Principal
from threadline_server.edge.http.caller import Caller
from threadline_server.edge.http.errors import documented
from threadline_server.edge.node_book import NodeBook, NodeEntry
from threadline_server.rooms.registry import Rooms
from threadline_server.rooms.room import Room
from threadline_server.telemetry.health import Health
from threadline_server.telemetry.metrics import Metrics

MOST_SESSIONS = 50
MOST_DEVICES = 200
UNFINISHED = ("running", "waiting", "queued")


class NodeView(BaseModel):
    """`silent`: it has missed its rounds. Times are Unix milliseconds."""

    name: str
    kind: str
    version: str
    started_ms: int
    seen_ms: int
    silent: bool
    connections: int
    rooms: int
    members: int
    runs: int


class SessionRow(BaseModel):
    """`members` and `tail_bytes` are those of this node, null where the session is not open here."""

    id: str
    owner: str
    agent: str
    status: str
    active_ms: int
    members: int | None
    tail_bytes: int | None


class DeviceRow(BaseModel):
    """`behind`: it reads more slowly than others write."""

    document: str
    user: str
    device: str
    role: str
    behind: bool


class Overview(BaseModel):
    """`numbers` are the metrics of this node by name; a difference of two `_total` is a rate."""

    at_ms: int
    node: str
    durability: str
    ready: bool
    checks: dict[str, bool]
    nodes: list[NodeView]
    numbers: dict[str, float]
    sessions: list[SessionRow]
    runs: list[SessionRow]
    devices: list[DeviceRow]


class Watchtower:
    """Puts an overview together from what each part tells of itself."""

    def __init__(
        self,
        backplane: Backplane,
        rooms: Rooms,
        book: NodeBook,
        health: Health,
        metrics: Metrics,
        now_ms: Callable[[], int],
    ) -> None:
        self._backplane = backplane
        self._rooms = rooms
        self._book = book
        self._health = health
        self._metrics = metrics
        self._now_ms = now_ms

    async def look(self) -> Overview:
        """Raises StoreError."""
        readiness = self._health.readiness()
        now_ms = self._now_ms()
        return Overview(
            at_ms=now_ms,
            node=self._backplane.node,
            durability=str(self._backplane.durability),
            ready=readiness.ready,
            checks=readiness.checks,
            nodes=[self._node(entry, now_ms) for entry in await self._book.entries()],
            numbers=self._metrics.values(),
            sessions=await self._found(SessionQuery(limit=MOST_SESSIONS)),
            runs=[
                row
                for status in UNFINISHED
                for row in await self._found(SessionQuery(status=status, limit=MOST_SESSIONS))
            ],
            devices=list(itertools.islice(self._devices(), MOST_DEVICES)),
        )

    def _node(self, entry: NodeEntry, now_ms: int) -> NodeView:
        return NodeView(
            name=entry.name,
            kind=entry.kind,
            version=entry.version,
            started_ms=entry.started_ms,
            seen_ms=entry.seen_ms,
            silent=self._book.is_silent(entry, now_ms),
            connections=entry.connections,
            rooms=entry.rooms,
            members=entry.members,
            runs=entry.runs,
        )

    async def _found(self, query: SessionQuery) -> list[SessionRow]:
        open_here = {room.name: room for room in self._rooms}
        found = await self._backplane.list_sessions(query)
        return [_row(record, open_here.get(record.id)) for record in found.sessions]

    def _devices(self) -> Iterable[DeviceRow]:
        for room in self._rooms:
            for seat in room.seats.values():
                actor = seat.actor
                yield DeviceRow(
                    document=room.name,
                    user=actor.user,
                    device=actor.device,
                    role=actor.role,
                    behind=seat.behind is not None,
                )


def admin_routes(
    look: Callable[[], Awaitable[Overview]], caller: Caller, *, operators: Iterable[str] | None
) -> APIRouter:
    """`operators` None lets everybody look, as is right where any token is a name."""
    router = APIRouter(prefix="/api/v1", tags=["admin"])
    Me = Annotated[Principal, Depends(caller)]  # noqa: N806
    may_look = None if operators is None else frozenset(operators)

    @router.get("/admin", responses=documented(HTTPStatus.FORBIDDEN))
    async def overview(me: Me) -> Overview:
        """Sessions, devices, runs, nodes, numbers and health as they are now. Operators only."""
        if may_look is not None and me.user not in may_look:
            raise Forbidden("Only operators see this; start the server with --operators and your name.")
        return await look()

    return router


def _row(record: SessionRecord, room: Room | None) -> SessionRow:
    stats = None if room is None else room.stats()
    return SessionRow(
        id=record.id,
        owner=record.owner,
        agent=record.agent,
        status=record.status,
        active_ms=record.active_ms,
        members=None if stats is None else int(stats["members"]),
        tail_bytes=None if stats is None else int(stats["tail_bytes"]),
    )

"""Words for tests of a backplane: writers with their own clocks, appends that remember their end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from threadline.ids import SessionId
from threadline_server.backplane.base import (
    Append,
    AppendRefused,
    Backplane,
    ClockRange,
    DocumentName,
    Entry,
    Fence,
    LoggedTurn,
    Position,
    SessionRecord,
    Turn,
)
from threadline_server.rooms.draft import Draft, Outgoing

WAIT_S = 20.0
LINEAGE = "lineage-1"
TRIP = SessionId("trip")
TRIP_DOCUMENT = DocumentName("trip")


class Deployment(Protocol):
    """What a suite runs against: nodes that share what lasts. Nodes are closed when the test ends."""

    many_nodes: bool

    async def node(self, name: str = "a") -> Backplane:
        """A node, opened; a second call with the same name restarts it."""


def unawaited(append: Append) -> Append:
    """The same turn, about which nobody wants to be told: a room's, whose draft acknowledges nothing."""
    given = (append.document, append.lineage, append.turn)
    return Outgoing(*given, append.on_taken, append.on_durable, append.on_refused, Draft())


def a_session(session: str = "trip", **fields: object) -> SessionRecord:
    values: dict[str, object] = {"lineage": LINEAGE, "owner": "ada", "created_ms": 1_000, "active_ms": 1_000}
    return SessionRecord(SessionId(session), **(values | fields))  # type: ignore[arg-type]


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds."""
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110  # any condition, of any object
            await asyncio.sleep(0.005)


async def eventually_true(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@dataclass(eq=False)
class Outcome:
    """What became of one append: `events` in the order they were told."""

    events: list[str] = field(default_factory=list)
    position: Position | None = None
    refusal: AppendRefused | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def on_taken(self, append: Append, position: Position) -> None:
        self.events.append("taken")
        self.position = position
        self.changed.set()

    def on_durable(self, append: Append) -> None:
        self.events.append("durable")
        self.changed.set()

    def on_refused(self, append: Append, refusal: AppendRefused) -> None:
        self.events.append("refused")
        self.refusal = refusal
        self.changed.set()

    async def end(self) -> Outcome:
        """Wait until it is durable or refused."""
        async with asyncio.timeout(WAIT_S):
            while not {"durable", "refused"} & set(self.events):
                self.changed.clear()
                await self.changed.wait()
        return self

    async def taken(self) -> Position:
        async with asyncio.timeout(WAIT_S):
            while self.position is None and self.refusal is None:
                self.changed.clear()
                await self.changed.wait()
        assert self.position is not None, self.refusal
        return self.position


@dataclass
class Writer:
    """A device's structs on their way into one document through one node: each turn continues its clock."""

    backplane: Backplane
    document: DocumentName
    client: int = 7
    clock: int = 0
    lineage: str = LINEAGE
    epoch: str = "epoch-1"

    def turn(self, text: str = "hello", *, start: int | None = None, length: int = 1) -> Turn:
        start = self.clock if start is None else start
        ranges = (ClockRange(self.client, start, start + length),)
        entry = Entry("ada", "owner", ranges, text.encode(), 1_700_000_000_000 + start)
        return Turn(self.backplane.node, self.epoch, (entry,))

    def next_turn(self, text: str = "hello", length: int = 1) -> Turn:
        turn = self.turn(text, length=length)
        self.clock += length
        return turn

    def prepare(self, turn: Turn, fence: Fence | None = None) -> tuple[Append, Outcome]:
        outcome = Outcome()
        append = Append(
            self.document,
            self.lineage,
            turn,
            outcome.on_taken,
            outcome.on_durable,
            outcome.on_refused,
            fence,
        )
        return append, outcome

    def begin(self, turn: Turn, fence: Fence | None = None) -> Outcome:
        append, outcome = self.prepare(turn, fence)
        self.backplane.append([append])
        return outcome

    async def put(self, turn: Turn, fence: Fence | None = None) -> Outcome:
        """Append and wait for the end of it."""
        return await self.begin(turn, fence).end()

    async def write(self, text: str = "hello", length: int = 1) -> Position:
        """Append the next turn, which must succeed, and give its position."""
        outcome = await self.put(self.next_turn(text, length))
        assert outcome.events == ["taken", "durable"], outcome.refusal
        assert outcome.position is not None
        return outcome.position


async def a_document(backplane: Backplane, name: str = "trip") -> Writer:
    """A new session with one writer on its document, loaded as a room does."""
    document = DocumentName(name)
    await backplane.create_session(a_session(name))
    await backplane.load(document)
    return Writer(backplane, document)


@dataclass(eq=False)
class Reader:
    """A follower that keeps what it gets."""

    turns: list[LoggedTurn] = field(default_factory=list)
    deleted: int = 0
    lost: int = 0

    @property
    def positions(self) -> list[int]:
        return [turn.position for turn in self.turns]

    def follow(self, backplane: Backplane, document: DocumentName, after: int = 0) -> Reader:
        self.following = backplane.follow(
            document, Position(after), self.turns.append, self._on_deleted, self._on_lost
        )
        return self

    def _on_deleted(self) -> None:
        self.deleted += 1

    def _on_lost(self) -> None:
        self.lost += 1

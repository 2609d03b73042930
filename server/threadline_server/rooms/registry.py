"""The rooms of this node: opened once however many ask, flushed once per loop turn, unloaded when idle."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from types import TracebackType
from typing import Any, Self

from pycrdt import Doc

from threadline.actors import Actor
from threadline.document.judgement import RuleBook
from threadline.document.rules import SESSION_RULES, rules_for
from threadline.errors import SessionClosed, StoreError, ThreadlineError
from threadline.ids import split_document_name
from threadline.protocol import close_codes
from threadline_server.backplane.base import Backplane, Damaged, DocumentName, Fence
from threadline_server.rooms.compaction import compact, compact_when_settled, is_worth_it_at_unload
from threadline_server.rooms.examination import UnsafeDocument, examine
from threadline_server.rooms.flushes import Flushes
from threadline_server.rooms.host import Counts, Host
from threadline_server.rooms.load_marks import LoadMarks
from threadline_server.rooms.loading import Loaded, load
from threadline_server.rooms.local_replica import LocalReplica, free_client
from threadline_server.rooms.options import RoomOptions
from threadline_server.rooms.quarantine import Quarantine
from threadline_server.rooms.room import Room
from threadline_server.rooms.turns import Slice
from threadline_server.rooms.verdict import NOTHING_CREATED, Created
from threadline_server.telemetry.histogram import Histogram
from threadline_server.telemetry.tracing import Tracing

_EPOCH_BYTES = 16


def _ignore(document: DocumentName, created: Created) -> None:
    """Nobody wants hints."""


def _nothing(document: DocumentName, doc: Doc[Any]) -> Created:
    """Nothing waits for anybody."""
    return NOTHING_CREATED


def _silent(message: str, document: DocumentName, error: BaseException) -> None:
    """Nobody keeps a log."""


class Rooms:
    """An async context manager: rooms live between its enter and its exit, which makes everything durable.

    `now_ms` is the Unix time in milliseconds, `now_s` a monotonic clock in seconds. `on_created(document,
    created)` hears of entries that the log has taken, and again of those that `waiting(document, doc)` still
    finds in a round; `report(message, document, error)` of failures.
    """

    def __init__(
        self,
        backplane: Backplane,
        options: RoomOptions | None = None,
        *,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        now_s: Callable[[], float] = time.monotonic,
        on_created: Callable[[DocumentName, Created], None] = _ignore,
        waiting: Callable[[DocumentName, Doc[Any]], Created] = _nothing,
        report: Callable[[str, DocumentName, BaseException], None] = _silent,
        marks: LoadMarks | None = None,
        rules: RuleBook = SESSION_RULES,
        tracing: Tracing | None = None,
    ) -> None:
        self.host = Host(
            backplane=backplane,
            options=options or RoomOptions(),
            rules=partial(_rules_of, rules),
            now_ms=now_ms,
            now_s=now_s,
            spawn=self._spawn,
            long=self._compact_soon,
            closed=self._forget,
            report=report,
            on_created=on_created,
            waiting=waiting,
            counts=Counts(),
            tracing=tracing,
        )
        self._rooms: dict[DocumentName, Room] = {}
        self._loading: dict[DocumentName, asyncio.Future[Room]] = {}
        self._flushes = Flushes(self.host)
        self._tasks: asyncio.TaskGroup | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._marks = marks
        self._stopping = False
        self._quarantine = Quarantine(self.host.options, now_s)
        self._loop: asyncio.AbstractEventLoop

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._tasks = await asyncio.TaskGroup().__aenter__()
        self._sweeper = self._tasks.create_task(self._sweep_for_ever())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._tasks is not None and self._sweeper is not None
        self._stopping = True
        self._sweeper.cancel()
        rooms = tuple(self._rooms.values())
        for room in rooms:
            room.close(close_codes.RESTARTING)
        self.flush()
        try:
            await self._until_durable(rooms)
        finally:
            await self._tasks.__aexit__(kind, error, trace)

    async def _until_durable(self, rooms: Sequence[Room]) -> None:
        """Bounded: what a store that is away has not taken was not acknowledged, and devices have it."""
        try:
            async with asyncio.timeout(self.host.options.stop_wait_s):
                await self.host.progress.until(lambda: all(room.log.tail.durable for room in rooms))
        except TimeoutError:
            for room in rooms:
                room.log.tail.withdraw()

    def get(self, document: DocumentName) -> Room | None:
        """The room, if it is open on this node."""
        return self._rooms.get(document)

    def __iter__(self) -> Any:
        return iter(tuple(self._rooms.values()))

    def __len__(self) -> int:
        return len(self._rooms)

    async def open(self, document: DocumentName) -> Room:
        """The room, loaded if it is not. Join it before anything else is awaited.

        Raises SessionNotFound, SessionDeleted, SessionClosed while the node stops, a SessionError with code
        `quarantined`, or a StoreError.
        """
        while True:
            room = self._rooms.get(document)
            if room is None:
                room = await asyncio.shield(self._loading.get(document) or self._start_loading(document))
            if room.closed is None:
                room.touch()
                return room

    @asynccontextmanager
    async def replica(
        self,
        document: DocumentName,
        actor: Actor,
        *,
        client_id: int | None = None,
        fence: Fence | None = None,
    ) -> AsyncIterator[LocalReplica]:
        """A replica inside this process, for as long as the context lasts.

        `client_id` is for who must have one to itself, such as one attempt at a run; it must be new. With a
        `fence`, the replica begins with all that was written under earlier ones. Raises as `open`, and
        LimitExceeded where a user has too many replicas of one document.
        """
        room = await self.open(document)
        if fence is not None:
            await room.catch_up()
            room = await self.open(document)  # it may have ended meanwhile
            room.log.finish_integration()
        client = free_client(room, actor) if client_id is None else client_id
        replica = LocalReplica(room, actor, client, fence)
        try:
            yield replica
        finally:
            replica.leave()

    def stats(self) -> Mapping[str, float]:
        """Levels, and totals since the start."""
        rooms = self._rooms.values()
        totals = {f"{name}_total": float(value) for name, value in asdict(self.host.counts).items()}
        return {
            "open": len(rooms),
            "loading": len(self._loading),
            "members": sum(len(room.seats) for room in rooms),
            "replicas": sum(len(room.witnesses) for room in rooms),
            "behind": sum(seat.behind is not None for room in rooms for seat in room.seats.values()),
            "not_durable_bytes": sum(room.log.tail.size for room in rooms),
            "quarantined": len(self._quarantine),
            **totals,
        }

    def timings(self) -> Mapping[str, Histogram]:
        """How large flushes are, and how long their turns take."""
        timings = self.host.timings
        return {
            "flush_turns": timings.flush_turns,
            "append_seconds": timings.append_seconds,
            "acknowledge_seconds": timings.acknowledge_seconds,
        }

    def flush(self) -> None:
        """Hand the turns of all dirty rooms to the log."""
        self._flushes.flush()

    # loading

    def _start_loading(self, document: DocumentName) -> asyncio.Future[Room]:
        self._quarantine.check(document)
        if self._stopping or self._tasks is None:
            raise SessionClosed("This node stops.", session_id=document)
        loading = self._loading[document] = self._loop.create_future()
        self._tasks.create_task(self._load(document, loading))
        return loading

    async def _load(self, document: DocumentName, loading: asyncio.Future[Room]) -> None:
        """Whatever goes wrong goes to those who wait; the next who asks tries again."""
        try:
            room = self._enter(document, await self._load_carefully(document))
        except BaseException as error:  # noqa: BLE001
            self._load_failed(document, loading, error)
        else:
            self._quarantine.forgive(document)
            loading.set_result(room)
        finally:
            del self._loading[document]

    async def _load_carefully(self, document: DocumentName) -> Loaded:
        """What ended a process before is read by a child process first; if that fails, its mark stays."""
        marks = self._marks
        if marks is None:
            return await load(self.host, document)
        if marks.is_suspect(document):
            stored = await self.host.backplane.load(document)
            await examine(stored.updates(), self.host.options)
        await marks.begin(document)
        try:
            return await load(self.host, document)
        finally:
            await marks.end(document)

    def _enter(self, document: DocumentName, loaded: Loaded) -> Room:
        if self._stopping:
            raise SessionClosed("This node stops.", session_id=document)
        room = Room(self.host, document, secrets.token_hex(_EPOCH_BYTES), loaded)
        room.start()
        self._rooms[document] = room
        self.host.counts.loads += 1
        return room

    def _load_failed(
        self, document: DocumentName, loading: asyncio.Future[Room], error: BaseException
    ) -> None:
        if isinstance(error, asyncio.CancelledError):
            loading.cancel()
            raise error
        self.host.counts.load_failures += 1
        if isinstance(error, UnsafeDocument | Damaged):
            self.host.report("A session is set aside", document, error)
            error = self._quarantine.condemn(document)
        elif isinstance(error, StoreError) and self.host.backplane.healthy:
            self._quarantine.blame(document)
        if not isinstance(error, ThreadlineError):
            self.host.report("A room could not be loaded", document, error)
            error = StoreError(f"{document} could not be loaded: {error!r}")
        loading.set_exception(error)
        loading.exception()  # whoever waited may be gone

    # the end

    def _forget(self, room: Room) -> None:
        if self._rooms.get(room.name) is room:
            del self._rooms[room.name]
            self.host.counts.unloads += 1

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        assert self._tasks is not None, "rooms live inside the context"
        self._tasks.create_task(self._guarded(work))

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """One room's failure is not the end of the others."""
        try:
            await work
        except Exception as error:  # noqa: BLE001
            self.host.report("Work for a room failed", DocumentName(""), error)

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self.host.options.sweep_every_s)
            await self.sweep()

    async def sweep(self) -> None:
        """One round over all rooms, a little at a time. One that is unloaded is let go of before the next."""
        slice_ = Slice(self.host.turns)
        for name in tuple(self._rooms):
            self._sweep_one(name)
            if slice_.over:
                await slice_.next()

    def _sweep_one(self, name: DocumentName) -> None:
        """What nobody foresaw ends this room, to be loaded again, and not the node."""
        room = self._rooms.get(name)
        if room is None:
            return
        try:
            room.sweep()
            self._unload_if_idle(room)
        except Exception as error:  # noqa: BLE001
            self.host.report("A room failed in its round", room.name, error)
            room.close(close_codes.ROOM_RELOADED)

    def _compact_soon(self, room: Room) -> None:
        work = compact_when_settled(room)
        if work is not None:
            self._spawn(work)

    def _unload_if_idle(self, room: Room) -> None:
        options = self.host.options
        if not room.is_idle(self.host.now_s() - options.grace_s):
            return
        log = room.log
        if is_worth_it_at_unload(options, log.base_bytes, log.tail_turns, log.tail_bytes):
            self._spawn(compact(room))
        room.close(close_codes.NORMAL)


def _rules_of(session_rules: RuleBook, document: DocumentName) -> RuleBook:
    return rules_for(split_document_name(document)[1], session_rules)

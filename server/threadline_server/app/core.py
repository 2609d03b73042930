"""What every process has, whether devices come in or not."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from importlib import metadata
from types import TracebackType
from typing import Any, Self

import structlog

from threadline.document.runs import Run
from threadline.errors import ConfigurationError, StoreError
from threadline.ids import SessionId
from threadline_server.app.agents import agent_at, roster_of, webhooks_of
from threadline_server.app.audit import audit_of
from threadline_server.app.chores import chores_of
from threadline_server.app.clock import unix_ms
from threadline_server.app.rules import rules_of
from threadline_server.app.stores import build_backplane
from threadline_server.app.tracing import tracing_of
from threadline_server.backplane.base import Backplane, DocumentName
from threadline_server.backplane.sealed import refuse_sealed
from threadline_server.edge.node_book import NodeBook, NodeEntry
from threadline_server.rooms.load_marks import LoadMarks
from threadline_server.rooms.registry import Rooms
from threadline_server.rooms.verdict import Created
from threadline_server.runs.decisions import DecideCall
from threadline_server.runs.options import RunOptions
from threadline_server.runs.run_log import log_run
from threadline_server.runs.tally import Tally
from threadline_server.runs.worker import Worker, asks, hint_at, undecided
from threadline_server.settings import Settings
from threadline_server.startup import CouldNotStart
from threadline_server.telemetry.garbage import Garbage
from threadline_server.telemetry.loop_lag import LoopLag
from threadline_server.telemetry.metrics import Metrics
from threadline_server.upkeep.rounds import Rounds

_log = structlog.get_logger()


class Core:
    """What every process has: a store, sessions that live here, agents that answer, upkeep.

    tasks:  what runs beside; only while the core is open
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.backplane = build_backplane(settings)
        self.tracing = tracing_of(settings, self.backplane)
        self.rooms = Rooms(
            self.backplane,
            settings.room_options,
            now_ms=unix_ms,
            on_created=self._created,
            waiting=undecided,
            report=_report_room_failure,
            rules=rules_of(settings),
            marks=None if settings.redis else LoadMarks(settings.data / "loading"),
            tracing=self.tracing,
        )
        self.webhooks = webhooks_of(settings, self.backplane)
        self.tally = Tally(self.backplane)
        self.audit = audit_of(settings)
        self.worker = self._build_worker()
        self.roster = roster_of(self.backplane, self.worker)
        self._started_ms = unix_ms()
        self.book = NodeBook(self.backplane, self.about, settings.upkeep_every_s)
        self._upkeep = Rounds(chores_of(self), settings.upkeep_every_s)
        self.metrics = Metrics()
        self._loop_lag = LoopLag()
        self._garbage = Garbage()
        self.metrics.add("rooms", self.rooms.stats)
        self.metrics.add("rooms", self.rooms.timings)
        self.metrics.add("loop", self._loop_lag.stats)
        self.metrics.add("gc", self._garbage.stats)
        self.metrics.add("backplane", self.backplane.stats)
        self.metrics.add("upkeep", self._upkeep.stats)
        self.metrics.add("audit", self.audit.stats)
        if self.worker is not None:
            self.metrics.add("worker", self.worker.stats)
            self.metrics.add("runs", self.tally.stats)
        if self.webhooks is not None:
            self.metrics.add("webhooks", self.webhooks.stats)

    def _build_worker(self) -> Worker | None:
        if not self.settings.agent:
            return None
        agents = [agent_at(path) for path in self.settings.agent]
        try:
            return Worker(
                self.backplane,
                self.rooms,
                agents,
                options=self.settings.pick(RunOptions),
                now_ms=unix_ms,
                report=_report_run_failure,
                tell=self._told,
                answered=self._answered,
                tracing=self.tracing,
            )
        except ConfigurationError as error:
            raise CouldNotStart(error.message) from error

    def _answered(self, session: SessionId, decision: DecideCall) -> None:
        """Somebody allowed a call, or did not."""
        intent = decision.intent
        event = f"call.{decision.status}"
        self.audit.record(event, by=intent.user, session=session, run=intent.run, call=intent.call)

    def _told(self, session: SessionId, run: Run) -> None:
        """A run waits or has ended."""
        log_run(session, run)
        self.tally.note(session, run)
        if self.webhooks is not None:
            self.webhooks.tell(session, run)

    def about(self) -> NodeEntry:
        """This process, for the others and for operators."""
        rooms = self.rooms.stats()
        return NodeEntry(
            name=self.backplane.node,
            kind="worker",
            version=metadata.version("threadline"),
            started_ms=self._started_ms,
            seen_ms=unix_ms(),
            connections=0,
            rooms=int(rooms["open"]),
            members=int(rooms["members"]),
            runs=0 if self.worker is None else int(self.worker.stats()["sessions"]),
        )

    def in_use(self, session: SessionId) -> bool:
        room = self.rooms.get(DocumentName(session))
        return room is not None and bool(room.seats)  # a reading of this process is no use of it

    def _created(self, document: DocumentName, created: Created) -> None:
        """New intents are for the worker of this process, or for one elsewhere."""
        if self.worker is not None:
            self.worker.created(document, created)
        elif asks(created):
            self.tasks.create_task(_hint(self.backplane, document))

    async def __aenter__(self) -> Self:
        """Raises StoreError or ConfigurationError with the fix in words."""
        async with AsyncExitStack() as stack:
            stack.callback(self.audit.close)
            await self.backplane.open()
            stack.push_async_callback(self.backplane.close)
            stack.push_async_callback(self._flush)
            await refuse_sealed(self.backplane)
            stack.enter_context(self._garbage.watched())
            if self.tracing is not None:
                stack.push_async_callback(asyncio.to_thread, self.tracing.close)
            await stack.enter_async_context(self.rooms)
            if self.settings.redis:
                await _introduce(self.book)
                stack.push_async_callback(_say_farewell, self.book)
            self.tasks = await stack.enter_async_context(asyncio.TaskGroup())
            for work in self._background():
                stack.callback(self.tasks.create_task(work).cancel)
            self._open = stack.pop_all()
        return self

    async def _flush(self) -> None:
        """What was told of runs, before the store is closed."""
        await self.tally.flush()
        if self.webhooks is not None:
            with suppress(StoreError):
                await self.webhooks.flush()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.__aexit__(kind, error, trace)

    def _background(self) -> list[Coroutine[Any, Any, None]]:
        """What runs for as long as the core is open."""
        worker = [] if self.worker is None else [self.worker.run(), self.roster.run(), self.tally.run()]
        webhooks = [] if self.webhooks is None else [self.webhooks.run()]
        return [self._upkeep.run(), self._loop_lag.run(), *webhooks, *worker]


async def _introduce(book: NodeBook) -> None:
    """A store that fails just now is told in the next round; that is no reason not to start."""
    with suppress(StoreError):
        await book.announce()


async def _say_farewell(book: NodeBook) -> None:
    """A store that is away is told nothing: after some silent rounds it forgets this process by itself."""
    with suppress(StoreError):
        await book.leave()


async def _hint(backplane: Backplane, document: DocumentName) -> None:
    try:
        await hint_at(backplane, document)
    except StoreError as error:
        _log.debug("a hint was lost; workers look for themselves", error=error.message)


def _report_room_failure(message: str, document: DocumentName, error: BaseException) -> None:
    _log.error(message, document=document, exc_info=error)


def _report_run_failure(message: str, session: str, error: BaseException) -> None:
    _log.error(message, session=session, exc_info=error)

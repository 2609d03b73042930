"""A worker: finds sessions with something to do and works on each, many at once.

It is woken by hints, which may be lost or doubled, and looks for itself every few seconds: at sessions
whose latest run has not ended, and at those that were active since it last looked.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any

from pycrdt import Doc, Map

from threadline.agents.agent import Agent
from threadline.errors import ConfigurationError, SessionDeleted, SessionError, SessionNotFound, StoreError
from threadline.ids import SessionId, split_document_name
from threadline_server.backplane.base import Backplane, DocumentName, RunHint, SessionQuery
from threadline_server.rooms.registry import Rooms
from threadline_server.rooms.verdict import NOTHING_CREATED, Created
from threadline_server.runs.options import RunOptions
from threadline_server.runs.session_work import UNFINISHED, Answered, Workshop, unheard, work_on
from threadline_server.runs.webhooks import Tell, tell_nobody
from threadline_server.telemetry.tracing import Tracing

INTENTS = "intents"

Report = Callable[[str, str, BaseException], None]


def _silent(message: str, session: str, error: BaseException) -> None:
    """Nobody keeps a log."""


class Worker:
    """`run()` works until it is cancelled. Sessions that ask for no agent get the first of `agents`.

    `report(message, session, error)` hears of work that failed; the session is tried again at the next look.
    `tell(session, run)` hears of runs that wait or have ended, `answered` of calls that were allowed or not.
    """

    def __init__(
        self,
        backplane: Backplane,
        rooms: Rooms,
        agents: Sequence[Agent],
        *,
        options: RunOptions | None = None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        report: Report = _silent,
        tell: Tell = tell_nobody,
        answered: Answered = unheard,
        tracing: Tracing | None = None,
    ) -> None:
        if not agents:
            raise ConfigurationError("A worker needs at least one agent.")
        named = {agent.name: agent for agent in agents}
        if len(named) < len(agents):
            raise ConfigurationError("Two agents of one worker have the same name.")
        self.options = options or RunOptions()
        self._shop = Workshop(
            backplane,
            rooms,
            named,
            agents[0].name,
            holder=f"{backplane.node}/{secrets.token_hex(4)}",
            options=self.options,
            now_ms=now_ms,
            tell=tell,
            answered=answered,
            tracing=tracing,
        )
        self._report = report
        self._tasks: asyncio.TaskGroup | None = None
        self._working: dict[SessionId, bool] = {}
        self._again: set[SessionId] = set()
        self._looked_ms = 0

    @property
    def agents(self) -> Sequence[Agent]:
        return tuple(self._shop.agents.values())

    @property
    def holder(self) -> str:
        """The name under which this worker holds leases."""
        return self._shop.holder

    def stats(self) -> dict[str, float]:
        levels = self._shop.levels
        return {
            "sessions": len(self._working),
            "agents": len(self._shop.agents),
            "executing": levels.executing,
            "waiting": levels.waiting,
            "attempts_total": levels.attempts,
        }

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(self._listen(), name="hints")
            try:
                await self._look_for_ever()
            finally:
                self._tasks = None

    def created(self, document: DocumentName, created: Created) -> None:
        """Entries of a document of this node were taken by the log; called by its rooms."""
        if asks(created):
            session, companion_of = split_document_name(document)
            if companion_of is None:
                self.wake(session)

    def wake(self, session: SessionId) -> None:
        """There may be something to do in a session."""
        if session in self._working:
            self._working[session] = True
        elif self._tasks is None or len(self._working) >= self.options.max_sessions_worked:
            self._again.add(session)
        else:
            self._working[session] = False
            self._tasks.create_task(self._work(session), name=f"session {session}")

    async def _work(self, session: SessionId) -> None:
        """Again for as long as somebody woke us meanwhile, so that nothing falls between two looks."""
        try:
            while True:
                self._working[session] = False
                done = await self._attempt(session)
                if not done or not self._working[session]:
                    return
        finally:
            del self._working[session]

    async def _attempt(self, session: SessionId) -> bool:
        """False where another has it or the work failed: what the catalogue says of the session may be older
        than what is asked in it, so that only we know to come back at the next look.
        """
        gone = False
        try:
            if await work_on(self._shop, session):
                return True
        except* (SessionNotFound, SessionDeleted):
            gone = True
        except* SessionError:
            pass  # closed for now
        except* Exception as group:  # noqa: BLE001  (one session's failure is not the worker's)
            for error in group.exceptions:
                self._report("Work on a session failed", session, error)
        if not gone:
            self._again.add(session)
        return False

    async def _listen(self) -> None:
        async for hint in self._shop.backplane.hints():
            if not hint.agent or hint.agent in self._shop.agents:
                self.wake(hint.session)

    async def _look_for_ever(self) -> None:
        while True:
            try:
                await self._look()
            except StoreError as error:
                self._report("Looking for work failed", "", error)
            await asyncio.sleep(self.options.scan_every_s)

    async def _look(self) -> None:
        """Wake every session that may have something to do."""
        now = self._shop.now_ms()
        again, self._again = self._again, set()
        for session in again:
            self.wake(session)
        since = self._looked_ms or now - int(self.options.scan_back_s * 1000)
        for status in UNFINISHED:
            await self._wake_all(SessionQuery(status=status, limit=self.options.scan_sessions))
        active = SessionQuery(active_after_ms=since, limit=self.options.scan_sessions)
        await self._wake_all(active, unseen_only=self._looked_ms > 0)
        self._looked_ms = now - int(self.options.scan_every_s * 1000)

    async def _wake_all(self, query: SessionQuery, *, unseen_only: bool = False) -> None:
        """One page of sessions. `unseen_only` leaves out those with a room here: it tells us of new
        intents, and in every round of those that are still undecided.
        """
        page = await self._shop.backplane.list_sessions(query)
        for record in page.sessions:
            seen = unseen_only and self._shop.rooms.get(DocumentName(record.id)) is not None
            if not seen and record.id not in self._working:
                self.wake(record.id)


def undecided(document: DocumentName, doc: Doc[Any]) -> Created:
    """The intents of a document that nobody has decided yet."""
    if split_document_name(document)[1] is not None:
        return NOTHING_CREATED
    intents = list(doc.get(INTENTS, type=Map))
    return {INTENTS: intents} if intents else NOTHING_CREATED


def asks(created: Created) -> bool:
    """Whether there is something to decide among what devices created."""
    return INTENTS in created


async def hint_at(backplane: Backplane, document: DocumentName) -> None:
    """For a node without workers: tell those elsewhere that a document has new intents."""
    session, companion_of = split_document_name(document)
    if companion_of is None:
        await backplane.hint(RunHint(session))

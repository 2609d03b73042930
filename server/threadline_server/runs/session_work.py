"""Work on one session, under its lease: decide what is asked, execute runs one after another, until nothing
is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pycrdt import Map

from threadline.actors import Actor, Role
from threadline.agents.agent import Agent
from threadline.changed import Changed
from threadline.document.lifecycle import RunStatus
from threadline.document.session_document import SessionDocument
from threadline.document.shared_map import SharedMap
from threadline.errors import SessionNotFound
from threadline.ids import SERVER_USER, SessionId
from threadline_server.backplane.base import Backplane, DocumentName, Fence
from threadline_server.rooms.local_replica import LocalReplica
from threadline_server.rooms.registry import Rooms
from threadline_server.runs.decider import Decider
from threadline_server.runs.decisions import DecideCall
from threadline_server.runs.held_lease import held_lease
from threadline_server.runs.options import RunOptions
from threadline_server.runs.run_execution import RunExecution, RunLevels
from threadline_server.runs.webhooks import Tell, tell_nobody
from threadline_server.telemetry.tracing import Tracing

SERVER = Actor(SERVER_USER, Role.SERVER)


Answered: TypeAlias = Callable[[SessionId, DecideCall], None]


def unheard(session: SessionId, decision: DecideCall) -> None:
    """Nobody is told of what people answered."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What working on sessions takes. `agents` by name; runs that name none get `default`.

    `answered` hears of calls that somebody allowed or not, once the answer counts.
    """

    backplane: Backplane
    rooms: Rooms
    agents: Mapping[str, Agent]
    default: str
    holder: str
    options: RunOptions
    now_ms: Callable[[], int]
    tell: Tell = tell_nobody
    answered: Answered = unheard
    levels: RunLevels = field(default_factory=RunLevels)
    tracing: Tracing | None = None


async def work_on(shop: Workshop, session: SessionId) -> bool:
    """Until nothing is left to do. False where another worker has the session.

    Raises LeaseLost (in a group), SessionError where the session is gone, StoreError.
    """
    async with held_lease(shop.backplane, session, shop.holder, shop.options.lease_ttl_s) as fence:
        if fence is None:
            return False
        async with shop.rooms.replica(DocumentName(session), SERVER, fence=fence) as replica:
            await SessionWork(shop, session, replica, fence).run()
    return True


class SessionWork:
    """The loop of one session: woken by every change of the document and by the end of an execution."""

    def __init__(self, shop: Workshop, session: SessionId, replica: LocalReplica, fence: Fence) -> None:
        self._shop = shop
        self._session = session
        self._replica = replica
        self._fence = fence
        self._document = SessionDocument(replica.doc)
        self._decider = Decider(
            shop.backplane,
            session,
            replica,
            self._document,
            shop.agents.keys(),
            shop.default,
            fence,
            shop.now_ms,
        )
        self._wake = Changed()
        self._execution: RunExecution | None = None
        self._shown: tuple[str, str, str] | None = None

    async def run(self) -> None:
        """Woken by new intents and by what runs have come to: the tokens that stream by are none of the
        loop's business.
        """
        intents: SharedMap = self._replica.doc.get("intents", type=Map)
        asked = intents.observe(lambda event: self._wake.notify())
        runs: SharedMap = self._replica.doc.get("runs", type=Map)
        statuses = runs.observe_deep(self._note_status)
        unsubscribe = self._replica.subscribe(self._note_end)
        try:
            async with asyncio.TaskGroup() as tasks:
                while await self._turn(tasks):
                    pass
        finally:
            unsubscribe()
            intents.unobserve(asked)
            runs.unobserve(statuses)

    def _note_status(self, events: list[Any]) -> None:
        if any("status" in getattr(event, "keys", ()) for event in events):
            self._wake.notify()

    def _note_end(self) -> None:
        if self._replica.ended is not None:
            self._wake.notify()

    async def _turn(self, tasks: asyncio.TaskGroup) -> bool:
        """One look at everything; False once nothing came up for a while."""
        seen = self._wake.count
        if self._replica.ended is not None:
            raise self._replica.ended
        for decision in await self._decider.settle():
            if isinstance(decision, DecideCall):
                self._shop.answered(self._session, decision)
        self._stop_if_asked()
        self._start_next(tasks)
        await self._show()
        return await self._changed_since(seen)

    async def _changed_since(self, seen: int) -> bool:
        try:
            async with asyncio.timeout(None if self._execution else self._shop.options.linger_s):
                await self._wake.until(lambda: self._wake.count != seen)
        except TimeoutError:
            return False
        return True

    def _stop_if_asked(self) -> None:
        execution = self._execution
        if execution is None:
            return
        stopped_by = self._document.runs.fields(execution.run_id).stopped_by
        if stopped_by:
            execution.stop(undo=stopped_by.get("undo") is True)

    def _start_next(self, tasks: asyncio.TaskGroup) -> None:
        if self._execution is not None:
            return
        for run_id in self._document.runs.unfinished():
            agent = self._shop.agents.get(self._document.runs.fields(run_id).agent)
            if agent is not None:
                self._execution = self._prepared(run_id, agent)
                tasks.create_task(self._execute(self._execution), name=f"run {run_id}")
                return

    def _prepared(self, run_id: str, agent: Agent) -> RunExecution:
        shop = self._shop
        return RunExecution(
            shop.rooms,
            self._session,
            run_id,
            agent,
            self._fence,
            shop.options,
            shop.now_ms,
            shop.tell,
            shop.levels,
            shop.tracing,
        )

    async def _execute(self, execution: RunExecution) -> None:
        levels = self._shop.levels
        levels.executing += 1
        levels.attempts += 1
        try:
            await execution.run()
            await self._until_seen(execution.run_id)
        finally:
            levels.executing -= 1
            self._execution = None
            self._wake.notify()

    async def _until_seen(self, run_id: str) -> None:
        """Until our own replica has the end too, or the run would look like one that nobody executes."""
        await self._replica.changes.until(lambda: self._is_over(run_id) or self._replica.ended is not None)

    def _is_over(self, run_id: str) -> bool:
        status = self._document.runs.status(run_id)
        return status is None or status.is_terminal

    async def _show(self) -> None:
        """Keep the catalogue's row in step with the latest run and the title."""
        ids = self._document.runs.ids()
        latest = self._document.runs.fields(ids[-1]) if ids else None
        status = "" if latest is None else str(latest.status)
        agent = "" if latest is None else latest.agent
        shown = (status, agent, self._document.meta.title)
        if shown == self._shown or (self._shown is None and shown == ("", "", "")):
            return
        self._shown = shown
        changes: dict[str, Any] = {"status": status, "agent": agent}
        if shown[2]:
            changes["title"] = shown[2]
        try:
            await self._shop.backplane.update_session(self._session, **changes)
        except SessionNotFound:
            return  # it was deleted meanwhile; the replica will say so


UNFINISHED = tuple(str(status) for status in RunStatus if not status.is_terminal)

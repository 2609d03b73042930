"""Runs that nobody executes are ended after a while, so that people are not left waiting for ever.

A worker that is lost is followed by another within seconds. What is left here had no worker at all: the agent
it names runs nowhere any more. Every process does this, under the session's lease, so once; a few sessions in
each round.
"""

from __future__ import annotations

from collections.abc import Callable

from threadline.actors import Actor, Role
from threadline.document.lifecycle import Cause, RunStatus
from threadline.document.session_document import SessionDocument
from threadline.document.steps import Fault
from threadline.errors import SessionError, StoreError
from threadline.ids import SERVER_USER
from threadline_server.backplane.base import Backplane, DocumentName, Fence, SessionQuery, SessionRecord
from threadline_server.rooms.registry import Rooms
from threadline_server.runs.held_lease import held_lease
from threadline_server.runs.options import RunOptions

SESSIONS_PER_ROUND = 20

_SERVER = Actor(SERVER_USER, Role.SERVER)
_END = {
    RunStatus.QUEUED: RunStatus.TIMEOUT,
    RunStatus.RUNNING: RunStatus.FAILED,
    RunStatus.WAITING: RunStatus.TIMEOUT,
}


class AbandonedRuns:
    def __init__(
        self, backplane: Backplane, rooms: Rooms, options: RunOptions, now_ms: Callable[[], int]
    ) -> None:
        self._backplane = backplane
        self._rooms = rooms
        self._options = options
        self._now_ms = now_ms

    async def round(self) -> int:
        """How many runs were ended."""
        return sum([await self._end_all(status) for status in _END])

    async def _end_all(self, status: RunStatus) -> int:
        quiet_ms = self._now_ms() - int(self._patience_s(status) * 1000)
        query = SessionQuery(status=str(status), active_before_ms=quiet_ms, limit=SESSIONS_PER_ROUND)
        page = await self._backplane.list_sessions(query)
        return sum([await self._end_in(record, quiet_ms) for record in page.sessions])

    def _patience_s(self, status: RunStatus) -> float:
        """A run that waits for a person has the person's time as well."""
        waits_s = self._options.approval_timeout_s if status is RunStatus.WAITING else 0.0
        return self._options.abandon_runs_after_s + waits_s

    async def _end_in(self, record: SessionRecord, quiet_ms: int) -> int:
        holder = f"{self._backplane.node}/upkeep"
        ended = 0
        try:
            async with held_lease(self._backplane, record.id, holder, self._options.lease_ttl_s) as fence:
                if fence is not None:
                    ended = await self._end_under(record, fence, quiet_ms)
        except* (SessionError, StoreError):
            ended = 0  # it was deleted meanwhile, is set aside or damaged, or the lease was lost
        return ended

    async def _end_under(self, record: SessionRecord, fence: Fence, quiet_ms: int) -> int:
        async with self._rooms.replica(DocumentName(record.id), _SERVER, fence=fence) as replica:
            document = SessionDocument(replica.doc)
            runs = document.runs
            old = [run for run in runs.unfinished() if runs.fields(run).created_at <= quiet_ms]
            with replica.edit():
                for run_id in old:
                    self._end(document, run_id)
            await replica.saved()
            latest = runs.ids()[-1:]
            status = str(runs.status(latest[0]) or "") if latest else ""
        if status != record.status:
            await self._backplane.update_session(record.id, status=status)
        return len(old)

    def _end(self, document: SessionDocument, run_id: str) -> None:
        run = document.runs.writer(run_id)
        fault = Fault("no_worker", "No worker came for this run; is its agent still served somewhere?")
        run.transition(_END[run.status], Cause.UPKEEP, at=self._now_ms(), error=fault.to_json())

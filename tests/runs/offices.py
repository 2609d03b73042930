"""Words for tests of runs: an office with rooms, a worker, and people whose devices ask for work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from threadline.actors import Actor, Role
from threadline.agents import Agent, DriverEvent, Said, Task
from threadline.document.intents import ApprovalIntent, CancelIntent, RunIntent, Verdict
from threadline.document.lifecycle import RunStatus
from threadline.document.messages import Author
from threadline.document.runs import Run
from threadline.document.session_document import SessionDocument
from threadline.ids import SessionId, new_client_id, new_entry_id
from threadline_server.backplane.base import DocumentName, SessionRecord
from threadline_server.backplane.embedded import EmbeddedBackplane
from threadline_server.rooms.local_replica import LocalReplica
from threadline_server.rooms.registry import Rooms
from threadline_server.rooms.verdict import Created
from threadline_server.runs.options import RunOptions
from threadline_server.runs.webhooks import Tell, tell_nobody
from threadline_server.runs.worker import Worker, undecided

WAIT_S = 20.0
SESSION = SessionId("trip")
QUICK = RunOptions(linger_s=0.05, scan_every_s=0.05, batch_ms=5)

Play = Callable[[Task], AsyncGenerator[DriverEvent, None]]


class Script:
    """A driver that plays what a test says."""

    def __init__(self, play: Play) -> None:
        self._play = play

    def run(self, task: Task) -> AsyncGenerator[DriverEvent, None]:
        return self._play(task)


def saying(*pieces: str) -> Play:
    async def play(task: Task) -> AsyncGenerator[DriverEvent, None]:
        for piece in pieces:
            yield Said(piece)

    return play


def scripted(play: Play, name: str = "helper", tools: Sequence[Any] = ()) -> Agent:
    return Agent(name=name, driver=Script(play), tools=tools)


class Person:
    """Somebody with one device in the session."""

    def __init__(self, replica: LocalReplica, user: str) -> None:
        self.replica = replica
        self.user = user
        self.document = SessionDocument(replica.doc)

    def ask(self, text: str, **fields: Any) -> str:
        """Say something and ask for a run in answer; gives back the run's id."""
        message, run = new_entry_id(self.user), new_entry_id(self.user)
        with self.replica.edit():
            author = Author(self.user, "test")
            self.document.messages.create(message, role="user", author=author, created_at=1, text=text)
            self.document.intents.add(RunIntent(id=run, device="test", at=1, message=message, **fields))
        return run

    def stop(self, run: str, reason: str = "enough") -> None:
        with self.replica.edit():
            intent = CancelIntent(id=new_entry_id(self.user), device="test", at=2, run=run, reason=reason)
            self.document.intents.add(intent)

    def say_on_call(self, run: str, call: str, verdict: Verdict, at: int = 3, **fields: Any) -> None:
        intent = ApprovalIntent(
            id=new_entry_id(self.user), device="test", at=at, run=run, call=call, decision=verdict, **fields
        )
        with self.replica.edit():
            self.document.intents.add(intent)

    def run(self, run_id: str) -> Run:
        run = self.document.runs.get(run_id)
        assert run is not None
        return run

    def reply(self, run_id: str) -> str:
        message = self.document.messages.get(self.run(run_id).message)
        return "" if message is None else message.text

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            await self.replica.changes.until(holds)

    async def until_status(self, run_id: str, *wanted: RunStatus) -> Run:
        await self.until(lambda: self.document.runs.status(run_id) in wanted)
        return self.run(run_id)

    async def until_over(self, run_id: str) -> Run:
        ended = [status for status in RunStatus if status.is_terminal]
        return await self.until_status(run_id, *ended)


class Office:
    """One node: an embedded store and its rooms, with one session. Workers come and go.

    deaf: what rooms tell of new entries is lost
    """

    def __init__(self, directory: Path) -> None:
        self.backplane = EmbeddedBackplane(directory / "data")
        self.workers: list[Worker] = []
        self.failures: list[BaseException] = []
        self.rooms = Rooms(self.backplane, on_created=self._created, waiting=undecided)
        self.deaf = False

    def _created(self, document: DocumentName, created: Created) -> None:
        for worker in [] if self.deaf else self.workers:
            worker.created(document, created)

    async def create(self, session: SessionId) -> None:
        now_ms = time.time_ns() // 1_000_000
        record = SessionRecord(session, lineage="l1", owner="ada", created_ms=now_ms, active_ms=now_ms)
        await self.backplane.create_session(record)

    async def is_listed(self, session: SessionId, status: str) -> bool:
        return (await self.backplane.get_session(session)).status == status

    @asynccontextmanager
    async def person(
        self, user: str = "ada", role: Role = Role.OWNER, *, session: SessionId = SESSION
    ) -> AsyncIterator[Person]:
        actor = Actor(user, role, "test")
        async with self.rooms.replica(DocumentName(session), actor, client_id=new_client_id()) as replica:
            yield Person(replica, user)

    def worker(self, *agents: Agent, options: RunOptions = QUICK, tell: Tell = tell_nobody) -> Worker:
        return Worker(self.backplane, self.rooms, agents, options=options, report=self._failed, tell=tell)

    def _failed(self, message: str, session: str, error: BaseException) -> None:
        self.failures.append(error)

    @asynccontextmanager
    async def working(
        self, *agents: Agent, options: RunOptions = QUICK, tell: Tell = tell_nobody
    ) -> AsyncIterator[Worker]:
        """A worker for as long as the block lasts; then it stops as at the end of a node."""
        worker = self.worker(*agents, options=options, tell=tell)
        self.workers.append(worker)
        task = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            self.workers.remove(worker)
            task.cancel()
            await asyncio.wait([task])
        if not task.cancelled():
            task.result()


@asynccontextmanager
async def an_office(directory: Path) -> AsyncIterator[Office]:
    office = Office(directory)
    await office.backplane.open()
    try:
        await office.create(SESSION)
        async with office.rooms:
            yield office
    finally:
        await office.backplane.close()


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """For what nobody announces: ask again until it is so."""
    async with asyncio.timeout(WAIT_S):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)

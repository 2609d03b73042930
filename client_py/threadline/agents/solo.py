"""An agent at work without a server: one run, in a session's own document, through the same recorder that a
worker uses.

Nobody is waited for: where a call needs a person's word, the run stops as `waiting`, and goes on from its
steps once somebody has given it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import anyio
from pycrdt import Doc

from threadline.agents.driver import Handed, Task, Turn
from threadline.agents.execution import Execution, Outcome, Unattended, Word
from threadline.agents.message import GivenWord
from threadline.agents.recorder import DocumentRecorder
from threadline.changed import Changed
from threadline.document.approvals import Approval, ApprovalStatus, arguments_hash
from threadline.document.events import Done, Event
from threadline.document.intents import RunIntent
from threadline.document.lifecycle import RunStatus
from threadline.document.runs import Run
from threadline.document.session_document import SessionDocument
from threadline.document.steps import Fault, StepType
from threadline.document.values import JSON, to_json
from threadline.errors import ThreadlineError
from threadline.ids import new_entry_id
from threadline.session import Session

if TYPE_CHECKING:
    from threadline.agents.agent import Agent

NOBODY = "guest"


def unix_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class SoloOptions:
    batch_ms: float = 30.0
    approval_timeout_s: float = 86_400.0


class OwnReplica:
    """A session's document that nobody else holds: everything in it is saved as soon as it is written."""

    ended: ThreadlineError | None = None

    def __init__(self, document: SessionDocument) -> None:
        self.changes = Changed()
        self._document = document

    @contextmanager
    def edit(self) -> Iterator[Doc[Any]]:
        with self._document.transaction():
            yield self._document.doc
        self.changes.notify()

    async def saved(self) -> None:
        return


class UnattendedRecorder(DocumentRecorder):
    """Asks, and does not wait for an answer."""

    async def _word(self, call: str) -> Word:
        raise Unattended(call)


@dataclass(slots=True)
class Solo:
    """One run. `record` is the session whose document it is written to, `session` what tools see."""

    agent: Agent
    record: Session
    session: Session
    run_id: str
    turns: Sequence[Turn]
    options: SoloOptions = field(default_factory=SoloOptions)
    handed: Handed | None = None

    @classmethod
    def begin(
        cls,
        agent: Agent,
        turns: Sequence[Turn],
        *,
        session: Session,
        record: Session,
        goal: str = "",
        context: Mapping[str, Any] | str | None = None,
        limits: Mapping[str, int | None] | None = None,
        tools: Sequence[str] | None = None,
        model: str = "",
        words: Sequence[GivenWord] = (),
    ) -> Solo:
        """A queued run. `words` are decisions on calls of an earlier run, which are carried out first."""
        intent = RunIntent(
            id=new_entry_id(session.user_id or NOBODY),
            at=unix_ms(),
            agent=agent.name,
            goal=goal,
            context=to_json(context, "/context"),
            limits={name: value for name, value in (limits or {}).items() if value is not None},
            tools=None if tools is None else tuple(tools),
            model=model or None,
        )
        record.document.runs.create(intent, at=unix_ms(), agent=agent.name)
        solo = cls(agent, record, session, intent.id, turns)
        for word in words:
            solo._carry_over(word)
        return solo

    @property
    def run(self) -> Run:
        run = self.record.document.runs.get(self.run_id)
        assert run is not None
        return run

    @property
    def reply(self) -> str:
        message = self.record.document.messages.get(self.run.message)
        return "" if message is None else message.text

    @property
    def pending(self) -> list[Approval]:
        return [call for call in self.run.approvals if call.status == ApprovalStatus.PENDING]

    def decide(self, call: str, approved: bool, reason: str) -> bool:
        """Record a person's word. False where there was one before."""
        return decide(self.record, self.run_id, call, approved, reason)

    def _carry_over(self, word: GivenWord) -> None:
        """A call that was proposed elsewhere, with the word on it, as if this run had asked."""
        now = unix_ms()
        run = self.record.document.runs.writer(self.run_id)
        run.steps.begin(
            StepType.TOOL_CALL, at=now, attempt=0, call=word.call, name=word.name, input=word.arguments
        ).end(now)
        shown = arguments_hash(word.arguments)
        run.approvals.put(Approval(word.call, word.name, word.arguments, shown, now))
        self.decide(word.call, word.approved, word.reason)

    async def perform(self) -> Outcome:
        """Until it ends or waits for a word. A run that waited goes on where it was."""
        replica = OwnReplica(self.record.document)
        return await self._perform(replica)

    async def _perform(self, replica: OwnReplica) -> Outcome:
        recorder = UnattendedRecorder(
            replica,
            self.record.document,
            self.run_id,
            options=self.options,
            now_ms=unix_ms,
            pause=nullcontext,
        )
        recorder.begin()
        run = self.run
        execution = Execution(
            self.agent.driver, recorder, limits=run.limits, earlier=run.steps, usage=run.usage
        )
        try:
            outcome = await self._timed(execution, run)
        except BaseException:
            recorder.end(Outcome(RunStatus.CANCELLED))
            raise
        self.handed = execution.handed
        if outcome.status is RunStatus.WAITING:
            recorder.close_step()
        else:
            recorder.end(outcome)
        return outcome

    async def _timed(self, execution: Execution, run: Run) -> Outcome:
        seconds = run.limits.timeout_seconds
        with anyio.move_on_after(seconds):
            return await execution.run(self._task(run))
        return Outcome(
            RunStatus.TIMEOUT, Fault("timeout", f"The run took longer than its {seconds} seconds.")
        )

    def _task(self, run: Run) -> Task:
        context = self.session.context.to_dict()
        if isinstance(run.context, dict):
            context |= run.context
        elif run.context is not None:
            context["context"] = run.context
        tools = self.agent.tools
        return Task(
            turns=self.turns,
            tools={name: tool for name, tool in tools.items() if run.tools is None or name in run.tools},
            session=self.session,
            goal=run.goal,
            system=run.system,
            context=context,
            model=run.model,
            limits=run.limits,
        )

    async def events(self) -> AsyncIterator[Event]:
        """Perform, and give what happens as it does."""
        replica = OwnReplica(self.record.document)
        task = asyncio.create_task(self._perform(replica))
        task.add_done_callback(lambda done: replica.changes.notify())
        after: str | None = None
        try:
            while True:
                seen, ended = replica.changes.count, task.done()
                for event in self.record.document.events(self.run_id, after):
                    after = event.id
                    yield event
                    if isinstance(event, Done):
                        return
                if ended:
                    task.result()
                    return
                await replica.changes.until(_moved(replica.changes, seen))
        finally:
            task.cancel()
            await asyncio.wait([task])


def decide(record: Session, run_id: str, call: str, approved: bool, reason: str) -> bool:
    """Record a person's word on a call of a run. False where there was one before."""
    approvals = record.document.runs.writer(run_id).approvals
    asked = approvals.get(call)
    if asked is None or asked.status != ApprovalStatus.PENDING:
        return False
    status = ApprovalStatus.APPROVED if approved else ApprovalStatus.REJECTED
    by: JSON = {"user": record.user_id or NOBODY, "device": record.device}
    approvals.put(replace(asked, status=status, reason=reason, decided_by=by, decided_at=unix_ms()))
    return True


def _moved(changes: Changed, since: int) -> Callable[[], bool]:
    return lambda: changes.count != since

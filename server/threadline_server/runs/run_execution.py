"""Executes one run: a replica of its own, the agent's driver, the clock, and the stop from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import anyio
from pycrdt import Map

from threadline.actors import Actor, Role
from threadline.agents.agent import Agent
from threadline.agents.driver import Task, Turn
from threadline.agents.execution import Execution, Outcome, Recorder
from threadline.agents.recorder import DocumentRecorder, lost
from threadline.document.branches import line_before
from threadline.document.changes import ChangeWatch
from threadline.document.lifecycle import RunStatus
from threadline.document.runs import Run
from threadline.document.session_document import SessionDocument
from threadline.document.steps import Fault
from threadline.document.values import JSON, text_of
from threadline.ids import SessionId, agent_user, new_client_id
from threadline.session import Session
from threadline_server.backplane.base import DocumentName, Fence
from threadline_server.rooms.local_replica import LocalReplica
from threadline_server.rooms.registry import Rooms
from threadline_server.runs.options import RunOptions
from threadline_server.runs.rollback import Rollback
from threadline_server.runs.steering import Steering, as_turn
from threadline_server.runs.traced_recorder import TracedRecorder
from threadline_server.runs.webhooks import Tell, tell_nobody
from threadline_server.telemetry.tracing import Span, Tracing

Clock = Callable[[], int]


@dataclass(slots=True)
class RunLevels:
    """How many runs this process executes now, and how many of them wait for a person's word."""

    executing: int = 0
    waiting: int = 0
    attempts: int = 0


class RunExecution:
    """One attempt at one run, under the session's lease."""

    def __init__(
        self,
        rooms: Rooms,
        session: SessionId,
        run_id: str,
        agent: Agent,
        fence: Fence,
        options: RunOptions,
        now_ms: Clock,
        tell: Tell = tell_nobody,
        levels: RunLevels | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self.run_id = run_id
        self._tracing = tracing
        self._levels = RunLevels() if levels is None else levels
        self._rooms = rooms
        self._session = session
        self._agent = agent
        self._fence = fence
        self._options = options
        self._now_ms = now_ms
        self._tell = tell
        self._scope = anyio.CancelScope()
        self._stopped = False
        self._undo = False

    def stop(self, *, undo: bool = False) -> None:
        """Somebody wants it to end now. What it has said and done stays, unless it is to be undone."""
        self._stopped = True
        self._undo = undo
        self._scope.cancel()

    async def run(self) -> None:
        """To the end, which is written. Raises what ended the replica: the lease was lost, or the session
        is gone.
        """
        actor = Actor(agent_user(self._agent.name), Role.AGENT, name=self._agent.name)
        name = DocumentName(self._session)
        async with self._rooms.replica(name, actor, client_id=new_client_id(), fence=self._fence) as replica:
            document = SessionDocument(replica.doc)
            await replica.changes.until(lambda: self.run_id in document.runs or replica.ended is not None)
            watch = ChangeWatch(replica.doc.get("state", type=Map), document.runs.writer(self.run_id).changes)
            recorder = DocumentRecorder(
                replica,
                document,
                self.run_id,
                options=self._options,
                now_ms=self._now_ms,
                pause=self._paused,
                waits=lambda: self._tell_of(document),
                changes=watch,
            )
            try:
                await self._attempt(replica, document, recorder)
            finally:
                watch.close()
                if replica.ended is None:
                    recorder.flush()

    async def _attempt(
        self, replica: LocalReplica, document: SessionDocument, recorder: DocumentRecorder
    ) -> None:
        run = document.runs.get(self.run_id)
        assert run is not None
        recorder.begin()
        if run.attempt >= self._options.max_attempts:
            await self._end(replica, document, recorder, lost(run.attempt))
            return
        session = self._session_of(document, run)
        steering = Steering(replica, document, self.run_id, self._now_ms)
        rollback = Rollback(replica.doc)
        outcome = await self._outcome(document, run, recorder, session, steering)
        if self._undo:
            rollback.take_back()
        await self._end(replica, document, recorder, outcome)

    async def _end(
        self, replica: LocalReplica, document: SessionDocument, recorder: DocumentRecorder, outcome: Outcome
    ) -> None:
        Steering(replica, document, self.run_id, self._now_ms).settle(outcome)
        recorder.end(outcome, retract=self._undo)
        self._tell_of(document)  # before anything is awaited, so that being stopped now does not keep it back
        await replica.saved()

    def _tell_of(self, document: SessionDocument) -> None:
        run = document.runs.get(self.run_id)
        assert run is not None
        self._tell(self._session, run)

    async def _outcome(
        self,
        document: SessionDocument,
        run: Run,
        recorder: DocumentRecorder,
        session: Session,
        steering: Steering,
    ) -> Outcome:
        """As the agent ends it, its time does, or whoever stops it."""
        if run.stopped_by:
            self._undo = run.stopped_by.get("undo") is True
            return Outcome(RunStatus.CANCELLED)
        with self._traced(run, recorder) as (watched, span):
            execution = Execution(
                self._agent.driver, watched, limits=run.limits, earlier=run.steps, usage=run.usage
            )
            stopped = Outcome(RunStatus.CANCELLED)
            self._scope.deadline = anyio.current_time() + self._time_left_s(run)
            outcome: Outcome | None = None
            with self._scope:
                outcome = await execution.run(self._task(document, run, session, steering))
            if outcome is None:
                outcome = stopped if self._stopped else Outcome(RunStatus.TIMEOUT, _timed_out(run))
            _note_end(span, outcome)
        return outcome

    @contextmanager
    def _traced(self, run: Run, recorder: Recorder) -> Iterator[tuple[Recorder, Span | None]]:
        """The recorder to tell, and the span of this attempt, where traces are kept."""
        if self._tracing is None:
            yield recorder, None
            return
        attributes: dict[str, str | int | float | bool] = {
            "threadline.document": self._session,
            "threadline.run": run.id,
            "threadline.agent": self._agent.name,
            "threadline.attempt": run.attempt,
        }
        with self._tracing.span("run", attributes) as span:
            traced = TracedRecorder(recorder, span)
            try:
                yield traced, span
            finally:
                traced.close()

    def _time_left_s(self, run: Run) -> float:
        waiting = run.started_at is None or run.waiting_for
        used_ms = 0 if waiting else self._now_ms() - (run.started_at or 0)
        return max(0.0, run.limits.timeout_seconds - used_ms / 1000)

    @contextmanager
    def _paused(self) -> Iterator[None]:
        """Waiting for a person takes none of the run's time."""
        left_s = self._scope.deadline - anyio.current_time()
        self._scope.deadline = float("inf")
        self._levels.waiting += 1
        try:
            yield
        finally:
            self._levels.waiting -= 1
            self._scope.deadline = anyio.current_time() + left_s

    def _session_of(self, document: SessionDocument, run: Run) -> Session:
        user = text_of(run.requested_by.get("user"))
        return Session.over(document, session_id=self._session, user_id=user)

    def _task(self, document: SessionDocument, run: Run, session: Session, steering: Steering) -> Task:
        context = {**document.meta.context.to_dict(), **_as_dict(run.context)}
        allowed = {
            name: tool for name, tool in self._agent.tools.items() if run.tools is None or name in run.tools
        }
        return Task(
            turns=history(document, run, run.limits.max_history or self._options.max_history_messages),
            tools=allowed,
            session=session,
            steered=steering.take,
            goal=run.goal,
            system=run.system,
            context=context,
            model=run.model,
            limits=run.limits,
        )


def history(document: SessionDocument, run: Run, limit: int) -> list[Turn]:
    """What the agent is given: what leads to what it is asked, then that, and what an attempt before this one
    was told meanwhile.

    Other versions of messages, and what followed them, are left out, and so are messages that wait for a run
    after this one, and a reply of an earlier attempt.
    """
    others = [other for other in map(document.runs.fields, document.runs.ids()) if other.number > run.number]
    later = [text_of(other.input.get("message")) for other in others]
    joined = [text_of(other.input.get("message")) for other in others if other.joined == run.id]
    asked = [text_of(run.input.get("message")), *joined]
    left_out = {run.message, *asked, *later} - {""}
    question = asked[0]
    ids = [name for name in document.messages.ids() if name == question or name not in left_out]
    # One more than the limit, since the question may be among them.
    read = [message for message in map(document.messages.get, ids[-limit - 1 :]) if message is not None]
    told = [document.messages.get(message_id) for message_id in asked if message_id]
    before = line_before(read, question)
    found = [*before[max(0, len(before) + len(told) - limit) :], *told]
    return [as_turn(message) for message in found if message is not None]


def _note_end(span: Span | None, outcome: Outcome) -> None:
    if span is not None:
        span.note({"threadline.status": str(outcome.status)})
        if outcome.fault is not None:
            span.fail(outcome.fault.code)


def _as_dict(context: JSON) -> dict[str, JSON]:
    if isinstance(context, dict):
        return context
    return {} if context is None else {"context": context}


def _timed_out(run: Run) -> Fault:
    return Fault("timeout", f"The run took longer than its {run.limits.timeout_seconds} seconds.")

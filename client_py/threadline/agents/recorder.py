"""Writes an execution into the session document: steps, the streamed reply, usage, approvals, and how it
ended.

One recorder, one client id, one attempt. Between two pieces of a reply nothing else is written, so the
reply stays one item; pieces are gathered for some milliseconds into one update.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Protocol

from pycrdt import Doc, Text

from threadline.agents.driver import ToolOutcome
from threadline.agents.execution import Outcome, Word
from threadline.agents.tool import Tool
from threadline.changed import Changed
from threadline.document.approvals import Approval, ApprovalStatus, arguments_hash
from threadline.document.changes import ChangeWatch
from threadline.document.lifecycle import Cause, RunStatus
from threadline.document.messages import Author, MessageStatus
from threadline.document.runs import RunWriter, Usage
from threadline.document.session_document import SessionDocument
from threadline.document.steps import Fault, StepType, StepWriter
from threadline.document.text_edit import append, truncate, utf16_length
from threadline.document.values import JSON, text_of
from threadline.errors import ThreadlineError
from threadline.ids import agent_user, new_entry_id

Pause = Callable[[], AbstractContextManager[None]]


class Replica(Protocol):
    """What a recorder writes to: a worker's replica of a session on a server, or a session's own document.

    changes:  notified after every change of others
    ended:    why it takes part no longer, None while it does
    """

    @property
    def changes(self) -> Changed: ...

    @property
    def ended(self) -> ThreadlineError | None: ...

    def edit(self) -> AbstractContextManager[Doc[Any]]:
        """One transaction. Raises what ended the replica."""

    async def saved(self) -> None:
        """Until everything written so far is durable. Raises what ended the replica."""


class RecorderOptions(Protocol):
    @property
    def batch_ms(self) -> float:
        """Tokens of a reply are gathered for so long into one update."""

    @property
    def approval_timeout_s(self) -> float:
        """How long a call waits for a person's word."""


_MESSAGE_STATUS = {
    RunStatus.COMPLETED: MessageStatus.COMPLETE,
    RunStatus.CANCELLED: MessageStatus.STOPPED,
    RunStatus.TIMEOUT: MessageStatus.STOPPED,
    RunStatus.MAX_STEPS_REACHED: MessageStatus.STOPPED,
    RunStatus.FAILED: MessageStatus.FAILED,
}


class DocumentRecorder:
    """`pause` stops the run's clock while it waits for a person; `waits` is called when it begins to. What
    `changes` has noted is written at the ends of steps.
    """

    def __init__(
        self,
        replica: Replica,
        document: SessionDocument,
        run_id: str,
        *,
        options: RecorderOptions,
        now_ms: Callable[[], int],
        pause: Pause,
        waits: Callable[[], None] = lambda: None,
        changes: ChangeWatch | None = None,
    ) -> None:
        self._replica = replica
        self._document = document
        self._run: RunWriter = document.runs.writer(run_id)
        self._options = options
        self._now_ms = now_ms
        self._pause = pause
        self._waits = waits
        self._changes = changes
        fields = document.runs.fields(run_id)
        self._user = agent_user(fields.agent)
        self._agent = fields.agent
        self._parent = text_of(fields.input.get("message"))
        self._message = fields.message
        self._attempt = fields.attempt
        self._usage: Usage | None = None
        self._step: StepWriter | None = None
        self._stream: Text | None = None
        self._streamed = StepType.OUTPUT
        self._buffer: list[str] = []
        self._timer: asyncio.TimerHandle | None = None
        self._failure: ThreadlineError | None = None

    # the beginning and the end

    def begin(self) -> None:
        """Take the run: count the attempt, and clear away what a lost worker left unfinished."""
        now = self._now_ms()
        with self._replica.edit():
            self._attempt += 1
            if self._run.status is RunStatus.RUNNING:
                self._run.set(attempt=self._attempt)
            else:
                self._run.transition(RunStatus.RUNNING, Cause.WORKER, at=now, attempt=self._attempt)
            self._run.close_open_step(now)
            if self._message:
                self._start_over()

    def _start_over(self) -> None:
        """An earlier attempt spoke. The driver begins anew, so what it said goes; results of tools stay."""
        truncate(self._document.messages.text(self._message), 0)
        self._document.messages.set_status(self._message, MessageStatus.STREAMING)
        self._run.void_outputs()

    def end(self, outcome: Outcome, *, retract: bool = False) -> None:
        """Write how it ended; with `retract` the reply goes out of the transcript."""
        self.close_step()
        now = self._now_ms()
        with self._replica.edit():
            if self._message:
                status = MessageStatus.RETRACTED if retract else _MESSAGE_STATUS[outcome.status]
                self._document.messages.set_status(self._message, status)
            for approval in self._run.approvals.pending():
                self._run.approvals.put(_expired(approval, now))
            self._note_usage()
            self._note_changes()
            error = None if outcome.fault is None else outcome.fault.to_json()
            self._run.transition(outcome.status, Cause.WORKER, at=now, error=error)

    # what the execution tells

    def thought(self, text: str) -> None:
        if self._stream is None or self._streamed is not StepType.THINKING:
            self._open_thought()
        self._add(text)

    def said(self, text: str) -> None:
        if self._stream is None or self._streamed is not StepType.OUTPUT:
            self._open_output()
        self._add(text)

    def tool_called(self, call: str, tool: Tool, arguments: JSON) -> None:
        self.close_step()
        with self._replica.edit():
            self._begin(StepType.TOOL_CALL, call=call, name=tool.name, input=arguments)

    def tool_returned(self, outcome: ToolOutcome) -> None:
        fault = None if outcome.fault is None else outcome.fault.to_json()
        self.close_step()
        with self._replica.edit():
            self._begin(
                StepType.TOOL_RESULT, call=outcome.call, name=outcome.name, output=outcome.output, error=fault
            )
            self._end_step()
            if fault is not None:
                self._begin(StepType.ERROR, call=outcome.call, name=outcome.name, error=fault)
                self._end_step()

    def tool_known(self) -> None:
        self.close_step()

    def used(self, usage: Usage) -> None:
        """Kept until the step ends, so that it does not come between two pieces of a reply."""
        self._usage = usage

    def ask(self, call: str, tool: Tool, arguments: JSON) -> None:
        if self._run.approvals.get(call) is None:
            with self._replica.edit():
                self._run.approvals.put(self._question(call, tool, arguments, self._now_ms()))

    async def approve(self, call: str) -> Word:
        """Wait until somebody has decided or the time is over."""
        asked = self._approval(call)
        if asked.status != ApprovalStatus.PENDING:
            return _word_of(asked)
        with self._replica.edit():
            self._run.transition(RunStatus.WAITING, Cause.WORKER, at=self._now_ms(), waiting_for="approval")
        self._waits()
        with self._pause():
            word = await self._word(call)
        with self._replica.edit():
            self._run.transition(RunStatus.RUNNING, Cause.WORKER, at=self._now_ms())
        return word

    async def start(self, call: str) -> None:
        """An approved call is about to be made. Durable before it is, so that whoever takes over knows."""
        with self._replica.edit():
            self._run.approvals.put(replace(self._approval(call), started_at=self._now_ms()))
        await self._replica.saved()

    def _approval(self, call: str) -> Approval:
        approval = self._run.approvals.get(call)
        assert approval is not None, "it was asked for"
        return approval

    def _question(self, call: str, tool: Tool, arguments: JSON, now: int) -> Approval:
        expires_at = now + int(self._options.approval_timeout_s * 1000)
        shown = arguments_hash(arguments)
        return Approval(call, tool.name, arguments, shown, now, tool.description, expires_at)

    async def _word(self, call: str) -> Word:
        left_ms = (self._approval(call).expires_at or 0) - self._now_ms()
        try:
            async with asyncio.timeout(max(0, left_ms) / 1000):
                await self._replica.changes.until(
                    lambda: self._decided(call) or self._replica.ended is not None
                )
        except TimeoutError:
            return self._expire(call)
        if self._replica.ended is not None:
            raise self._replica.ended
        return _word_of(self._approval(call))

    def _decided(self, call: str) -> bool:
        return self._approval(call).status != ApprovalStatus.PENDING

    def _expire(self, call: str) -> Word:
        if self._decided(call):
            return _word_of(self._approval(call))
        with self._replica.edit():
            self._run.approvals.put(_expired(self._approval(call), self._now_ms()))
        return Word(False, "nobody decided in time")

    # steps and streams

    def _begin(self, step_type: StepType, **fields: object) -> StepWriter:
        self._step = self._run.steps.begin(step_type, at=self._now_ms(), attempt=self._attempt, **fields)
        return self._step

    def _open_thought(self) -> None:
        self.close_step()
        with self._replica.edit():
            self._stream = self._begin(StepType.THINKING).text
        self._streamed = StepType.THINKING

    def _open_output(self) -> None:
        """The step comes before the message's text, so that after the text nothing is written but text."""
        self.close_step()
        with self._replica.edit():
            if self._message:
                said = str(self._document.messages.text(self._message))
                self._begin(StepType.OUTPUT, start=utf16_length(said))
                self._buffer += ["\n\n"] if said else []
            else:
                self._message = new_entry_id(self._user)
                self._run.set(message=self._message)
                self._begin(StepType.OUTPUT, start=0)
                self._create_message()
        self._stream = self._document.messages.text(self._message)
        self._streamed = StepType.OUTPUT

    def _create_message(self) -> None:
        self._document.messages.create(
            self._message,
            role="assistant",
            author=Author(self._user, name=self._agent),
            created_at=self._now_ms(),
            status=MessageStatus.STREAMING,
            run=self._run.id,
            parent=self._parent or None,
        )

    def _add(self, text: str) -> None:
        if self._failure is not None:
            raise self._failure
        self._buffer.append(text)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._options.batch_ms / 1000, self._flush_by_timer)

    def _flush_by_timer(self) -> None:
        self._timer = None
        try:
            self.flush()
        except ThreadlineError as error:
            self._failure = error  # told to the execution with its next piece

    def flush(self) -> None:
        """Write what was gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        pieces, self._buffer = self._buffer, []
        if pieces and self._stream is not None:
            with self._replica.edit():
                append(self._stream, "".join(pieces))

    def close_step(self) -> None:
        """End the step that is open, with the usage so far."""
        self.flush()
        if self._step is None:
            return
        with self._replica.edit():
            self._end_step()

    def _end_step(self) -> None:
        assert self._step is not None
        end = None
        if self._stream is not None and self._streamed is StepType.OUTPUT:
            end = utf16_length(str(self._stream))
        self._step.end(self._now_ms(), end=end)
        self._step = self._stream = None
        self._note_usage()
        self._note_changes()

    def _note_usage(self) -> None:
        if self._usage is not None:
            self._run.set_usage(self._usage)
            self._usage = None

    def _note_changes(self) -> None:
        if self._changes is not None and self._changes.is_new:
            self._changes.is_new = False
            self._run.set(changes=self._changes.changes.to_json())


def _expired(approval: Approval, now_ms: int) -> Approval:
    return replace(approval, status=ApprovalStatus.EXPIRED, decided_at=now_ms)


def _word_of(approval: Approval) -> Word:
    approved = approval.status == ApprovalStatus.APPROVED
    return Word(approved, approval.reason or str(approval.status), begun=approval.started_at is not None)


def lost(attempts: int) -> Outcome:
    """A run that has lost as many workers as it may."""
    message = f"{attempts} workers were lost over this run."
    return Outcome(RunStatus.FAILED, Fault("worker_lost", message))

"""One run as the device that asked for it, or that watches it, sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from threadline.document.approvals import Approval
from threadline.document.events import Done, Event
from threadline.document.intents import ApprovalIntent, CancelIntent, Verdict
from threadline.document.lifecycle import RunStatus
from threadline.document.runs import Run as RunSnapshot
from threadline.document.runs import Usage
from threadline.document.steps import Fault, Step
from threadline.errors import SessionError
from threadline.ready import Ready

if TYPE_CHECKING:
    from threadline.live_session import LiveSession
    from threadline.resources import Undone


@dataclass(frozen=True, slots=True)
class RunResult(Ready):
    """How a run ended. Durations are milliseconds; `duration_ms` is None where it never started."""

    id: str
    status: RunStatus
    output: str
    steps: tuple[Step, ...]
    usage: Usage
    duration_ms: int | None
    tool_calls: int
    error: Fault | None

    @property
    def tokens_used(self) -> int:
        return self.usage.total_tokens


class Run:
    """A handle: `id` is known at once, offline too; everything else is what the session holds now."""

    def __init__(self, session: LiveSession, run_id: str) -> None:
        self.id = run_id
        self._session = session

    def __repr__(self) -> str:
        return f"<Run {self.id}: {self.status}>"

    @property
    def snapshot(self) -> RunSnapshot | None:
        """The run with its steps as it is now; None until somebody has decided that it is one."""
        return self._session.document.runs.get(self.id)

    @property
    def status(self) -> RunStatus:
        """`queued` from the moment it is asked for."""
        return self._session.document.runs.status(self.id) or RunStatus.QUEUED

    @property
    def is_over(self) -> bool:
        return self.status.is_terminal

    @property
    def steps(self) -> tuple[Step, ...]:
        run = self.snapshot
        return run.steps if run is not None else ()

    @property
    def output(self) -> str:
        """The reply so far."""
        run = self.snapshot
        message = self._session.messages.get(run.message) if run is not None and run.message else None
        return message.text if message is not None else ""

    @property
    def pending(self) -> list[Approval]:
        """Calls that wait for somebody's word."""
        run = self.snapshot
        return [call for call in run.approvals if call.status == "pending"] if run is not None else []

    async def events(self, after: str | None = None) -> AsyncIterator[Event]:
        """Events from the beginning, or after the one with the id `after`, to `done`.

        They follow from the session's document: nothing is missed by coming late or by losing the connection.
        Raises the session's error where it ends meanwhile.
        """
        while True:
            seen = self._session.changed.count
            for event in self._session.document.events(self.id, after):
                after = event.id
                yield event
                if isinstance(event, Done):
                    return
            await self._session.until(partial(self._has_changed, seen))

    def _has_changed(self, since: int) -> bool:
        return self._session.changed.count != since

    def __aiter__(self) -> AsyncIterator[Event]:
        return self.events()

    async def wait(self, timeout_s: float | None = None) -> RunStatus:
        """Until it is over. Raises TimeoutError; the run goes on then."""
        async with asyncio.timeout(timeout_s):
            await self._session.until(lambda: self.is_over)
        return self.status

    async def result(self, timeout_s: float | None = None) -> RunResult:
        """As `wait`, with what came of it. A failed run has `error`; nothing is raised for it."""
        await self.wait(timeout_s)
        run = self.snapshot
        assert run is not None
        return RunResult(
            id=run.id,
            status=run.status,
            output=self.output,
            steps=run.steps,
            usage=run.usage,
            duration_ms=run.duration_ms,
            tool_calls=run.tool_calls,
            error=run.error,
        )

    async def cancel(self, reason: str = "") -> None:
        """Ask for it to be stopped; works offline too. Raises Refused."""
        self._session.ask(lambda base: CancelIntent(**base, run=self.id, reason=reason))

    async def undo(self) -> Undone:
        """Take back what it has changed, once it is over, and its answer; what others changed since stays.

        Raises SessionError, Unreachable.
        """
        return await self._session.undo_run(self.id)

    async def approve(self, call: str | None = None) -> None:
        """Let a waiting call go ahead, the one named or the only one. Raises SessionError, Refused."""
        self._decide(call, Verdict.APPROVE, "")

    async def reject(self, call: str | None = None, reason: str = "") -> None:
        """Keep a waiting call from being made. Raises SessionError, Refused."""
        self._decide(call, Verdict.REJECT, reason)

    def _decide(self, call: str | None, decision: Verdict, reason: str) -> None:
        approval = self._pending_call(call)
        self._session.ask(
            lambda base: ApprovalIntent(
                **base,
                run=self.id,
                call=approval.call,
                decision=decision,
                arguments_hash=approval.arguments_hash,
                reason=reason,
            )
        )

    def _pending_call(self, call: str | None) -> Approval:
        pending = [approval for approval in self.pending if call in (None, approval.call)]
        if len(pending) != 1:
            what = f"{len(pending)} calls wait" if call is None else f"the call {call} does not wait"
            raise SessionError(f"Nothing to decide: {what} for a word.", session_id=self._session.id)
        return pending[0]

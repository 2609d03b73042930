"""What people say to a run while it is under way.

Each message has a queued run of its own, so that it is answered whatever happens. A driver that asks takes
the message into the run that is under way (`joined`), and the queued run ends as that one does; a message
that nobody took becomes the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from threadline.agents.driver import Turn
from threadline.agents.execution import Outcome
from threadline.document.lifecycle import Cause, RunStatus
from threadline.document.messages import Message
from threadline.document.runs import Run
from threadline.document.session_document import SessionDocument
from threadline.document.values import text_of
from threadline_server.rooms.local_replica import LocalReplica

_END = {RunStatus.COMPLETED: RunStatus.COMPLETED, RunStatus.CANCELLED: RunStatus.CANCELLED}


class Steering:
    """Of one run."""

    def __init__(
        self, replica: LocalReplica, document: SessionDocument, run_id: str, now_ms: Callable[[], int]
    ) -> None:
        self._replica = replica
        self._document = document
        self._run_id = run_id
        self._now_ms = now_ms

    def take(self) -> list[Turn]:
        """What was said since the run began or this was last asked. Raises what ended the replica."""
        steering = [run for run in self._queued() if run.steers == self._run_id and not run.joined]
        if not steering:
            return []
        with self._replica.edit():
            for run in steering:
                self._document.runs.writer(run.id).set(joined=self._run_id)
        return [as_turn(message) for message in map(self._asked, steering) if message is not None]

    def settle(self, outcome: Outcome) -> None:
        """End the runs whose messages were taken, as this one does; called before its end is written."""
        joined = [run for run in self._queued() if run.joined == self._run_id]
        if not joined:
            return
        message = self._document.runs.fields(self._run_id).message or None
        error = None if outcome.fault is None else outcome.fault.to_json()
        status = _END.get(outcome.status, RunStatus.FAILED)
        with self._replica.edit():
            for run in joined:
                self._document.runs.writer(run.id).transition(
                    status, Cause.WORKER, at=self._now_ms(), message=message, error=error
                )

    def _queued(self) -> Iterator[Run]:
        runs = self._document.runs
        return (run for run in map(runs.fields, runs.unfinished()) if run.status is RunStatus.QUEUED)

    def _asked(self, run: Run) -> Message | None:
        return self._document.messages.get(text_of(run.input.get("message")))


def as_turn(message: Message) -> Turn:
    return Turn(message.role, message.text, message.author.user, message.created_at, message.data)

"""Asking for work on somebody's behalf: the same intents that a device writes, judged by the same rules."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from threadline.actors import Actor, Role
from threadline.document.approvals import Approval, ApprovalStatus
from threadline.document.intents import ApprovalIntent, CancelIntent, RunIntent, Verdict
from threadline.document.lifecycle import IllegalTransition
from threadline.document.messages import Author, MessageRole
from threadline.document.session_document import SessionDocument
from threadline.document.values import JSON
from threadline.errors import Forbidden, SessionError
from threadline.ids import new_entry_id
from threadline_server.backplane.base import DocumentName
from threadline_server.rooms.registry import Rooms

DEVICE = "api"


class NoRun(SessionError):
    """Nothing runs in this session, or nothing ever did."""

    code = "no_run"


class NothingToDecide(SessionError):
    """The call is not there, does not wait, or has other arguments than those that were shown."""

    code = "nothing_to_decide"


@dataclass(frozen=True, slots=True)
class Wish:
    """A run that somebody wants; what is left empty is the agent's choice."""

    goal: str
    agent: str = ""
    context: JSON = None
    limits: dict[str, JSON] = field(default_factory=dict)
    tools: tuple[str, ...] | None = None
    model: str | None = None
    system: str = ""


def _expect_writer(actor: Actor) -> None:
    """Before the session is read: a replica of a long one costs more than a refusal should."""
    if actor.role is Role.VIEWER:
        raise Forbidden("Only owners and editors ask agents for something, stop them or answer them.")


async def ask_for_run(
    rooms: Rooms, document: DocumentName, actor: Actor, wish: Wish, run: str, message: str
) -> None:
    """Write the goal as a message and the intent beside it, durably, under these ids; once."""
    now_ms = _now_ms()
    _expect_writer(actor)
    async with rooms.replica(document, actor) as replica:
        session = SessionDocument(replica.doc)
        if message in session.messages:
            return
        with replica.edit():
            author = Author(actor.user, DEVICE, actor.name)
            session.messages.create(
                message, role=MessageRole.USER, author=author, created_at=now_ms, text=wish.goal
            )
            session.intents.add(
                RunIntent(
                    id=run,
                    device=DEVICE,
                    at=now_ms,
                    message=message,
                    goal=wish.goal,
                    agent=wish.agent,
                    context=wish.context,
                    limits=wish.limits,
                    tools=wish.tools,
                    model=wish.model,
                    system=wish.system,
                )
            )
        await replica.saved()


async def ask_to_cancel(rooms: Rooms, document: DocumentName, actor: Actor, reason: str) -> None:
    """Ask that the active run, or the latest that has not ended, is stopped. Raises NoRun."""
    _expect_writer(actor)
    async with rooms.replica(document, actor) as replica:
        session = SessionDocument(replica.doc)
        unfinished = session.runs.unfinished()
        run = session.runs.active() or (unfinished[-1] if unfinished else None)
        if run is None:
            latest = session.runs.latest()
            if latest is None:
                raise NoRun("There is no run in this session; nothing was cancelled.")
            return
        intent = CancelIntent(
            id=new_entry_id(actor.user), device=DEVICE, at=_now_ms(), run=run, reason=reason
        )
        with replica.edit():
            session.intents.add(intent)
        await replica.saved()


async def ask_to_decide(
    rooms: Rooms, document: DocumentName, actor: Actor, run: str, call: str, decision: Verdict, reason: str
) -> None:
    """Ask that a waiting call goes ahead or does not. Raises NoRun, IllegalTransition, NothingToDecide."""
    _expect_writer(actor)
    async with rooms.replica(document, actor) as replica:
        session = SessionDocument(replica.doc)
        approval = _waiting_call(session, run, call)
        intent = ApprovalIntent(
            id=new_entry_id(actor.user),
            device=DEVICE,
            at=_now_ms(),
            run=run,
            call=approval.call,
            decision=decision,
            arguments_hash=approval.arguments_hash,
            reason=reason,
        )
        with replica.edit():
            session.intents.add(intent)
        await replica.saved()


def _waiting_call(session: SessionDocument, run_id: str, call: str) -> Approval:
    run = session.runs.get(run_id)
    if run is None:
        raise NoRun("There is no such run in this session, or it is not decided yet.")
    if run.status.is_terminal:
        raise IllegalTransition(f"The run is {run.status}, which is final; nothing in it can be decided.")
    found = next((approval for approval in run.approvals if approval.call == call), None)
    if found is None:
        raise NothingToDecide("There is no such call in this run.")
    if found.status != ApprovalStatus.PENDING:
        raise NothingToDecide(f"The call was {found.status} already.")
    return found


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

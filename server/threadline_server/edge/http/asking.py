"""Asking for work on somebody's behalf: the same intents that a device writes, judged by the same rules."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from threadline.actors import Actor
from threadline.document.intents import CancelIntent, RunIntent
from threadline.document.messages import Author, MessageRole
from threadline.document.session_document import SessionDocument
from threadline.document.values import JSON
from threadline.errors import SessionError
from threadline.ids import new_entry_id
from threadline_server.backplane.base import DocumentName
from threadline_server.rooms.registry import Rooms

DEVICE = "api"


class NoRun(SessionError):
    """Nothing runs in this session, or nothing ever did."""

    code = "no_run"


@dataclass(frozen=True, slots=True)
class Wish:
    """A run that somebody wants; what is left empty is the agent's choice."""

    goal: str
    agent: str = ""
    context: JSON = None
    limits: dict[str, JSON] = field(default_factory=dict)
    tools: tuple[str, ...] | None = None
    model: str | None = None


async def ask_for_run(rooms: Rooms, document: DocumentName, actor: Actor, wish: Wish) -> str:
    """Write the goal as a message and the intent beside it, durably; gives back the run's id."""
    now_ms = _now_ms()
    run, message = new_entry_id(actor.user), new_entry_id(actor.user)
    async with rooms.replica(document, actor) as replica:
        with replica.edit() as doc:
            session = SessionDocument(doc)
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
                )
            )
        await replica.saved()
    return run


async def ask_to_cancel(rooms: Rooms, document: DocumentName, actor: Actor, reason: str) -> None:
    """Ask that the active run, or the latest that has not ended, is stopped. Raises NoRun."""
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


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

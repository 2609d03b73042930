"""`/undo` and `/compact`: changes that no device may make by itself, made by the server on its behalf."""

import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pycrdt import Map
from pydantic import BaseModel, ConfigDict, Field

from threadline.actors import Role
from threadline.document.lifecycle import IllegalTransition
from threadline.document.messages import Author, Message, MessageStatus, Seq
from threadline.document.session_document import SessionDocument
from threadline.errors import Forbidden, SessionError
from threadline.ids import SessionId, agent_user, new_entry_id
from threadline_server.backplane.base import DocumentName
from threadline_server.edge.access import Access
from threadline_server.edge.authentication import Principal
from threadline_server.edge.http.asking import DEVICE, NoRun
from threadline_server.edge.http.caller import Caller
from threadline_server.edge.http.errors import documented
from threadline_server.edge.http.sessions import SessionPath
from threadline_server.rooms.local_replica import LocalReplica
from threadline_server.rooms.registry import Rooms
from threadline_server.rooms.stamper import SERVER

_FOR_ONE = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.GONE)
MAX_MESSAGES = 10_000

MessageId = Annotated[str, Field(min_length=1, max_length=512)]


class CannotUndo(SessionError):
    """What the run changed is not known any more."""

    code = "cannot_undo"


class NoSuchMessage(SessionError):
    """The session has no such message, or it is still being written."""

    code = "no_such_message"


class Undo(BaseModel):
    model_config = ConfigDict(extra="forbid")

    run: str = Field(max_length=256)


class Undone(BaseModel):
    """Keys of the state as the document has them: those put back, and those `left` that others have changed
    since.
    """

    run: str
    restored: list[str]
    left: list[str]


class Insertion(BaseModel):
    """A new message: behind the one with the id `after`, or where there is none, before all others."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "user", "assistant"] = "system"
    content: str = Field(max_length=100_000)
    after: MessageId | None = None


class Compaction(BaseModel):
    """Retracted messages are out of the transcript and of what agents are given; they are not destroyed."""

    model_config = ConfigDict(extra="forbid")

    retract: list[MessageId] = Field(max_length=MAX_MESSAGES)
    insert: list[Insertion] = Field(default_factory=list, max_length=100)


class Compacted(BaseModel):
    """The ids of what was inserted, in the order of the request."""

    session_id: str
    inserted: list[str]


def amendment_routes(rooms: Rooms, access: Access, caller: Caller) -> APIRouter:
    router = APIRouter(prefix="/api/v1/sessions", tags=["sessions"])
    Me = Annotated[Principal, Depends(caller)]  # noqa: N806

    @router.post("/{session}/undo", responses=documented(*_FOR_ONE))
    async def undo(me: Me, session: SessionPath, wanted: Undo) -> Undone:
        """Take back what a run that is over has changed, and its answer. Again changes nothing more."""
        _, role = await access.look_up(SessionId(session), me)
        if role not in (Role.OWNER, Role.EDITOR):
            raise Forbidden("Only owners and editors undo what a run has done.")
        async with rooms.replica(DocumentName(session), SERVER) as replica:
            undone = _undo(replica, wanted.run, me)
            await replica.saved()
        return undone

    @router.post("/{session}/compact", responses=documented(*_FOR_ONE))
    async def compact(me: Me, session: SessionPath, wanted: Compaction) -> Compacted:
        """Put shorter messages, such as a summary, in the place of others. Owners only."""
        _, role = await access.look_up(SessionId(session), me)
        if role is not Role.OWNER:
            raise Forbidden("Only owners take other people's messages out of a session.")
        async with rooms.replica(DocumentName(session), SERVER) as replica:
            inserted = await _compact(replica, wanted, me)
            await replica.saved()
        return Compacted(session_id=session, inserted=inserted)

    return router


def _undo(replica: LocalReplica, run_id: str, me: Principal) -> Undone:
    document = SessionDocument(replica.doc)
    run = document.runs.get(run_id)
    if run is None:
        raise NoRun("There is no such run in this session, or it is not decided yet.")
    if not run.status.is_terminal:
        raise IllegalTransition(f"The run is {run.status}; cancel it before it is undone.")
    if run.undone_by:
        return Undone(run=run_id, restored=[], left=[])
    writer = document.runs.writer(run_id)
    changes = writer.changes
    if not changes.is_whole:
        raise CannotUndo("This run changed more than is kept of a run.")
    with replica.edit() as doc:
        restored, left = changes.take_back(doc.get("state", type=Map))
        if run.message in document.messages:
            document.messages.set_status(run.message, MessageStatus.RETRACTED)
        writer.set(undone_by={"user": me.user, "device": DEVICE, "at": _now_ms()})
    return Undone(run=run_id, restored=restored, left=left)


async def _compact(replica: LocalReplica, wanted: Compaction, me: Principal) -> list[str]:
    """The new messages come first, and to their places once the server has given them one: whatever happens
    in between, nothing is lost.
    """
    messages = SessionDocument(replica.doc).messages
    named = [*wanted.retract, *(each.after for each in wanted.insert if each.after is not None)]
    for message_id in named:
        message = messages.get(message_id)
        if message is None or message.seq is None or message.status == MessageStatus.STREAMING:
            raise NoSuchMessage(f"There is no message {message_id} that could be moved or kept.")
    inserted = []
    with replica.edit():
        for each in wanted.insert:
            author = _author(each.role, me)
            inserted.append(new_entry_id(author.user))
            messages.create(
                inserted[-1], role=each.role, author=author, created_at=_now_ms(), text=each.content
            )
    await replica.changes.until(
        lambda: replica.ended is not None or all(_is_placed(messages.get(name)) for name in inserted)
    )
    with replica.edit():
        _move(SessionDocument(replica.doc), inserted, wanted.insert)
        for message_id in wanted.retract:
            messages.set_status(message_id, MessageStatus.RETRACTED)
    return list(inserted)


def _is_placed(message: Message | None) -> bool:
    return message is not None and message.seq is not None


def _move(document: SessionDocument, inserted: Sequence[str], insertions: Sequence[Insertion]) -> None:
    """A place between two others has the first one's number and a longer name of the node."""
    ends: dict[str | None, Seq] = {}
    for message_id, insertion in zip(inserted, insertions, strict=True):
        before = ends.get(insertion.after) or _place(document, insertion.after)
        ends[insertion.after] = place = Seq(before.number, f"{before.node}~")
        document.messages.stamp(message_id, place, _now_ms())


def _place(document: SessionDocument, message_id: str | None) -> Seq:
    message = document.messages.get(message_id) if message_id is not None else None
    return Seq(0, "") if message is None or message.seq is None else message.seq


def _author(role: str, me: Principal) -> Author:
    return Author(me.user, DEVICE, me.name) if role == "user" else Author(agent_user(role))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

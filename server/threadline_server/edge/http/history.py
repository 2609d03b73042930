"""`/api/v1/sessions/{session}/history`: the transcript, newest page first, read from the live room."""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from threadline.document.messages import Message
from threadline.document.session_document import SessionDocument
from threadline.errors import SessionError
from threadline.ids import SessionId
from threadline_server.backplane.base import DocumentName
from threadline_server.edge.access import Access
from threadline_server.edge.authentication import Principal
from threadline_server.edge.http.caller import Caller
from threadline_server.edge.http.errors import documented
from threadline_server.edge.http.sessions import SessionPath
from threadline_server.edge.http.times import time_of
from threadline_server.rooms.registry import Rooms


class AuthorView(BaseModel):
    user: str
    device: str
    name: str


class MessageView(BaseModel):
    """`seq` is null while the server has not given the message its place."""

    id: str
    seq: int | None
    role: str
    author: AuthorView
    content: str
    status: str
    run: str | None
    parent: str | None
    data: Any
    attachments: list[Any]
    created_at: datetime
    received_at: datetime | None


class History(BaseModel):
    """`messages` in transcript order; `cursor` asks for the page before it, null on the first one."""

    session_id: str
    message_count: int
    messages: list[MessageView]
    cursor: str | None


class UnknownCursor(SessionError):
    """The cursor names a message that this session does not show."""

    code = "unknown_cursor"


def history_routes(rooms: Rooms, access: Access, caller: Caller) -> APIRouter:
    router = APIRouter(prefix="/api/v1/sessions", tags=["sessions"])
    Me = Annotated[Principal, Depends(caller)]  # noqa: N806

    @router.get(
        "/{session}/history",
        responses=documented(
            HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.GONE
        ),
    )
    async def history(
        me: Me,
        session: SessionPath,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
        cursor: Annotated[str | None, Query(max_length=256)] = None,
    ) -> History:
        """The newest messages, or those before `cursor`."""
        await access.look_up(SessionId(session), me)
        room = await rooms.open(DocumentName(session))
        messages = SessionDocument(room.document()).messages
        ids = messages.ids()
        page, previous = _page(ids, limit, cursor)
        shown = [view(message) for message in map(messages.get, page) if message is not None]
        return History(session_id=session, message_count=len(ids), messages=shown, cursor=previous)

    return router


def _page(ids: Sequence[str], limit: int, cursor: str | None) -> tuple[Sequence[str], str | None]:
    """The last `limit` ids before `cursor`, and the cursor of the page before them. Raises UnknownCursor."""
    end = len(ids)
    if cursor is not None:
        if cursor not in ids:
            raise UnknownCursor("The cursor names no message of this session; ask again without one.")
        end = ids.index(cursor)
    start = max(0, end - limit)
    return ids[start:end], ids[start] if start else None


def view(message: Message) -> MessageView:
    return MessageView(
        id=message.id,
        seq=None if message.seq is None else message.seq.number,
        role=message.role,
        author=AuthorView(user=message.author.user, device=message.author.device, name=message.author.name),
        content=message.text,
        status=message.status,
        run=message.run,
        parent=message.parent,
        data=message.data,
        attachments=list(message.attachments),
        created_at=time_of(message.created_at),
        received_at=None if message.received_at is None else time_of(message.received_at),
    )

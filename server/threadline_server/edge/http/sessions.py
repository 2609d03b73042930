"""`/api/v1/sessions`: create, list, look at, rename and delete sessions."""

from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from threadline.actors import Role
from threadline.errors import Forbidden, SessionError
from threadline.ids import SessionId, parse_session_id, uuid7
from threadline_server.backplane.base import Backplane, SessionQuery, SessionRecord
from threadline_server.edge.access import Access
from threadline_server.edge.authentication import Principal
from threadline_server.edge.http.caller import Caller
from threadline_server.edge.http.errors import documented

NAME_PATTERN = r"^[A-Za-z0-9._:@-]{1,128}$"

SessionPath = Annotated[str, Path(pattern=NAME_PATTERN, description="The session's id.")]
Label = Annotated[str, Field(min_length=1, max_length=128)]


_FOR_ONE = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE)


class SessionExists(SessionError):
    """The id is taken by a session of somebody else."""

    code = "session_exists"


class NewSession(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: str | None = Field(
        default=None, pattern=NAME_PATTERN, description="Made up by the server when left out."
    )
    title: str = Field(default="", max_length=500)
    agent: str = Field(default="", max_length=128, description="The agent that answers in this session.")
    parent: str = Field(default="", max_length=128, description="The session that this one is a part of.")
    labels: list[Label] = Field(default_factory=list, max_length=32)


class SessionChanges(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str | None = Field(default=None, max_length=500)
    labels: list[Label] | None = Field(default=None, max_length=32)


class SessionView(BaseModel):
    """A session as the catalogue has it. `role` is the caller's own."""

    id: str
    lineage: str
    title: str
    owner: str
    role: str
    agent: str
    status: str
    parent: str
    labels: list[str]
    created_at: datetime
    last_activity: datetime


class SessionListing(BaseModel):
    """Newest activity first; `cursor` asks for the next page, null on the last one."""

    sessions: list[SessionView]
    cursor: str | None


def session_routes(backplane: Backplane, access: Access, caller: Caller) -> APIRouter:
    router = APIRouter(prefix="/api/v1/sessions", tags=["sessions"])
    Me = Annotated[Principal, Depends(caller)]  # noqa: N806

    @router.post(
        "",
        status_code=HTTPStatus.CREATED,
        responses={
            **documented(HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT, HTTPStatus.GONE),
            200: {"model": SessionView, "description": "It was there already"},
        },
    )
    async def create(
        me: Me, response: Response, new: Annotated[NewSession | None, Body()] = None
    ) -> SessionView:
        """Create a session. Creating one's own session again gives back the one that is there."""
        wanted = new or NewSession()
        if wanted.parent:
            await access.look_up(parse_session_id(wanted.parent), me)
        offered = replace(
            access.new_record(parse_session_id(wanted.id or uuid7()), me),
            title=wanted.title,
            agent=wanted.agent,
            parent=wanted.parent,
            labels=tuple(wanted.labels),
        )
        stored = await backplane.create_session(offered)
        if stored.lineage != offered.lineage:
            if stored.owner != me.user:
                raise SessionExists("A session with this id exists already; choose another.")
            response.status_code = HTTPStatus.OK
        return view(stored, Role.OWNER)

    @router.get("", responses=documented())
    async def list_sessions(
        me: Me,
        agent: str | None = None,
        status: str | None = None,
        label: str | None = None,
        parent: str | None = None,
        text: Annotated[str | None, Query(max_length=200, description="Words of the title.")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[str | None, Query(max_length=1024)] = None,
    ) -> SessionListing:
        """List the sessions that the caller may see."""
        query = SessionQuery(
            visible_to=access.visible_to(me),
            agent=agent,
            status=status,
            label=label,
            parent=parent,
            text=text,
            limit=limit,
            cursor=cursor,
        )
        page = await backplane.list_sessions(query)
        return SessionListing(
            sessions=[view(record, access.role(record, me)) for record in page.sessions], cursor=page.cursor
        )

    @router.get("/{session}", responses=documented(*_FOR_ONE))
    async def get(me: Me, session: SessionPath) -> SessionView:
        """Look at one session."""
        record, role = await access.look_up(SessionId(session), me)
        return view(record, role)

    @router.patch("/{session}", responses=documented(*_FOR_ONE))
    async def change(me: Me, session: SessionPath, changes: SessionChanges) -> SessionView:
        """Change the title or the labels, as owner or editor."""
        record, role = await access.look_up(SessionId(session), me)
        if role not in (Role.OWNER, Role.EDITOR):
            raise Forbidden("Only owners and editors change a session.")
        wanted = changes.model_dump(exclude_none=True)
        if "labels" in wanted:
            wanted["labels"] = tuple(wanted["labels"])
        if wanted:
            record = await backplane.update_session(SessionId(session), **wanted)
        return view(record, role)

    @router.delete("/{session}", status_code=HTTPStatus.NO_CONTENT, responses=documented(*_FOR_ONE))
    async def delete(me: Me, session: SessionPath) -> None:
        """Delete a session for good: its log, companions and attachments. Only its owner can."""
        _, role = await access.look_up(SessionId(session), me)
        if role is not Role.OWNER:
            raise Forbidden("Only the owner deletes a session; leave it instead.")
        await backplane.delete_session(SessionId(session))

    return router


def view(record: SessionRecord, role: Role | None) -> SessionView:
    return SessionView(
        id=record.id,
        lineage=record.lineage,
        title=record.title,
        owner=record.owner,
        role=role or "",
        agent=record.agent,
        status=record.status,
        parent=record.parent,
        labels=list(record.labels),
        created_at=_time(record.created_ms),
        last_activity=_time(record.active_ms),
    )


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)

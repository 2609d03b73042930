"""`/api/v1/sessions`: create, list, look at, rename and delete sessions."""

from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Self

from fastapi import APIRouter, Body, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from threadline.actors import Actor, Role
from threadline.document.session_document import SessionDocument
from threadline.errors import Forbidden, SessionError
from threadline.ids import SessionId, parse_session_id
from threadline_server.backplane.base import Backplane, DocumentName, SessionQuery, SessionRecord
from threadline_server.edge.access import Access
from threadline_server.edge.authentication import Principal
from threadline_server.edge.http.asking import DEVICE, ask_for_run
from threadline_server.edge.http.caller import Caller
from threadline_server.edge.http.errors import documented
from threadline_server.edge.http.event_stream import EVENT_STREAM, event_stream
from threadline_server.edge.http.idempotency import Idempotency, IdempotencyKey, Ids
from threadline_server.edge.http.run_request import MAX_GOAL_CHARS, RunFields
from threadline_server.edge.http.run_view import (
    NOT_STARTED,
    FaultView,
    LimitsView,
    StepView,
    UsageView,
    view_of_run,
)
from threadline_server.edge.http.streams import Streams
from threadline_server.edge.http.times import time_of
from threadline_server.rooms.registry import Rooms
from threadline_server.telemetry.audit import Audit

NAME_PATTERN = r"^[A-Za-z0-9._:@-]{1,128}$"

SessionPath = Annotated[str, Path(pattern=NAME_PATTERN, description="The session's id.")]
Label = Annotated[str, Field(min_length=1, max_length=128)]


_FOR_ONE = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE)


class SessionExists(SessionError):
    """The id is taken by a session of somebody else."""

    code = "session_exists"


class NewSession(RunFields):
    """With a `goal` the session gets its first run, which goes on while this returns."""

    id: str | None = Field(
        default=None, pattern=NAME_PATTERN, description="Made up by the server when left out."
    )
    title: str = Field(default="", max_length=500)
    goal: str = Field(default="", max_length=MAX_GOAL_CHARS, description="What its first run is for.")
    parent: str = Field(
        default="", pattern=rf"^$|{NAME_PATTERN}", description="The session that this one is a part of."
    )
    labels: list[Label] = Field(default_factory=list, max_length=32)
    stream: bool = Field(
        default=False,
        description="Answer with the events of the run, as they happen, instead of the session.",
    )

    @model_validator(mode="after")
    def _streams_something(self) -> Self:
        if self.stream and not self.goal:
            raise ValueError("a session without a goal has no run to stream")
        return self


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


class SessionDetail(SessionView):
    """A session with its latest run. `status` is `created` while none has started."""

    goal: str
    context: Any
    limits: LimitsView | None
    steps: list[StepView]
    output: str
    tokens_used: int
    usage: UsageView
    tool_calls: int
    duration_ms: int | None
    error: FaultView | None


class SessionListing(BaseModel):
    """Newest activity first; `cursor` asks for the next page, null on the last one."""

    sessions: list[SessionView]
    cursor: str | None


def session_routes(
    backplane: Backplane, rooms: Rooms, access: Access, streams: Streams, audit: Audit, caller: Caller
) -> APIRouter:
    idempotency = Idempotency(backplane)
    router = APIRouter(prefix="/api/v1/sessions", tags=["sessions"])
    Me = Annotated[Principal, Depends(caller)]  # noqa: N806

    @router.post(
        "",
        status_code=HTTPStatus.CREATED,
        response_model=SessionView,
        responses={
            **documented(
                HTTPStatus.FORBIDDEN,
                HTTPStatus.NOT_FOUND,
                HTTPStatus.CONFLICT,
                HTTPStatus.GONE,
                HTTPStatus.TOO_MANY_REQUESTS,
            ),
            200: {"model": SessionView, "description": "It was there already"},
            201: {"content": EVENT_STREAM, "description": "The session, or the events of its run"},
        },
    )
    async def create(
        me: Me,
        response: Response,
        new: Annotated[NewSession | None, Body()] = None,
        idempotency_key: IdempotencyKey = None,
    ) -> SessionView | Response:
        """Create a session. Creating one's own session again gives back the one that is there."""
        wanted = new or NewSession()
        wish = wanted.wish(wanted.goal)
        if wanted.parent:
            await access.look_up(parse_session_id(wanted.parent), me)
        ids = await idempotency.ids(me.user, idempotency_key, wanted, Ids.new(me.user, wanted.id))
        offered = replace(
            access.new_record(parse_session_id(ids.session), me),
            title=wanted.title,
            agent=wanted.agent,
            parent=wanted.parent,
            labels=tuple(wanted.labels),
        )
        stored = await access.create(offered)
        if stored.lineage != offered.lineage:
            if stored.owner != me.user:
                raise SessionExists("A session with this id exists already; choose another.")
            response.status_code = HTTPStatus.OK
        if wanted.goal:
            document, actor = DocumentName(stored.id), Actor(me.user, Role.OWNER, DEVICE, me.name)
            await ask_for_run(rooms, document, actor, wish, ids.run, ids.message)
            if wanted.stream:
                frames = streams.follow(document, actor, me, ids.run, None)
                return event_stream(frames, status=HTTPStatus.CREATED)
        return view(stored, Role.OWNER)

    @router.get("", responses=documented(HTTPStatus.BAD_REQUEST))
    async def list_sessions(
        me: Me,
        agent_id: Annotated[str | None, Query(max_length=128)] = None,
        agent: Annotated[str | None, Query(max_length=128, description="As `agent_id`.")] = None,
        status: Annotated[str | None, Query(max_length=64)] = None,
        label: Annotated[str | None, Query(max_length=128)] = None,
        parent: Annotated[str | None, Query(max_length=128)] = None,
        text: Annotated[str | None, Query(max_length=200, description="Words of the title.")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[str | None, Query(max_length=1024)] = None,
    ) -> SessionListing:
        """List the sessions that the caller may see."""
        query = SessionQuery(
            visible_to=access.visible_to(me),
            agent=agent_id if agent_id is not None else agent,
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
    async def get(me: Me, session: SessionPath) -> SessionDetail:
        """Look at one session and its latest run."""
        record, role = await access.look_up(SessionId(session), me)
        room = await rooms.open(DocumentName(session))
        return detail(view(record, role), SessionDocument(room.document()))

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
        audit.record("session.deleted", by=me.user, session=session)

    return router


def detail(session: SessionView, document: SessionDocument) -> SessionDetail:
    latest = document.runs.latest()
    told = None if latest is None else view_of_run(latest, document)
    fields = session.model_dump() | {"status": NOT_STARTED if told is None else told.status}
    return SessionDetail(
        **fields,
        goal="" if told is None else told.goal,
        context=None if told is None else told.context,
        limits=None if told is None else told.limits,
        steps=[] if told is None else told.steps,
        output="" if told is None else told.output,
        tokens_used=0 if told is None else told.tokens_used,
        usage=UsageView() if told is None else told.usage,
        tool_calls=0 if told is None else told.tool_calls,
        duration_ms=None if told is None else told.duration_ms,
        error=None if told is None else told.error,
    )


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
        created_at=time_of(record.created_ms),
        last_activity=time_of(record.active_ms),
    )

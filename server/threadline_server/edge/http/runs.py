"""`/api/v1/sessions/{session}`: runs, cancelling, and the stream of a run's events."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from threadline.actors import Actor
from threadline.document.intents import Verdict
from threadline.document.session_document import SessionDocument
from threadline.ids import SessionId
from threadline_server.backplane.base import Backplane, DocumentName
from threadline_server.edge.access import Access
from threadline_server.edge.authentication import Principal
from threadline_server.edge.http.asking import (
    DEVICE,
    NoRun,
    ask_for_run,
    ask_to_cancel,
    ask_to_decide,
)
from threadline_server.edge.http.caller import Caller
from threadline_server.edge.http.errors import documented
from threadline_server.edge.http.event_stream import EVENT_STREAM, event_stream
from threadline_server.edge.http.idempotency import Idempotency, IdempotencyKey, Ids
from threadline_server.edge.http.run_request import NewRun
from threadline_server.edge.http.run_view import RunView, view_of_run
from threadline_server.edge.http.sessions import SessionPath, SessionView
from threadline_server.edge.http.sessions import view as view_of_session
from threadline_server.edge.http.streams import Form, Streams
from threadline_server.rooms.registry import Rooms

_FOR_ONE = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.GONE)
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"description": "Events until the run is done", "content": EVENT_STREAM}
}


class Asked(BaseModel):
    """The run will be there under this id as soon as it is decided."""

    session_id: str
    run: str


class Cancellation(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: str = Field(default="", max_length=1000)


class Word(BaseModel):
    """What somebody says about a call that waits."""

    model_config = ConfigDict(extra="forbid")

    run: str = Field(max_length=256)
    call: str = Field(max_length=256)
    decision: Verdict
    reason: str = Field(default="", max_length=1000)


class RunListing(BaseModel):
    """In the order in which they were decided."""

    session_id: str
    runs: list[RunView]


def run_routes(
    backplane: Backplane, rooms: Rooms, access: Access, streams: Streams, caller: Caller
) -> APIRouter:
    idempotency = Idempotency(backplane)
    router = APIRouter(prefix="/api/v1/sessions", tags=["runs"])
    Me = Annotated[Principal, Depends(caller)]  # noqa: N806

    async def actor_in(session: str, me: Principal) -> Actor:
        _, role = await access.look_up(SessionId(session), me)
        return Actor(me.user, role, DEVICE, me.name)

    @router.post("/{session}/runs", status_code=HTTPStatus.ACCEPTED, responses=documented(*_FOR_ONE))
    async def ask(
        me: Me, session: SessionPath, wanted: NewRun, idempotency_key: IdempotencyKey = None
    ) -> Asked:
        """Ask the agent for something. The run goes on whether or not anybody watches."""
        actor, wish = await actor_in(session, me), wanted.wish(wanted.goal)
        ids = await idempotency.ids(me.user, idempotency_key, wanted, Ids.new(me.user, session))
        await ask_for_run(rooms, DocumentName(session), actor, wish, ids.run, ids.message)
        return Asked(session_id=session, run=ids.run)

    @router.get("/{session}/runs", responses=documented(*_FOR_ONE))
    async def runs(me: Me, session: SessionPath) -> RunListing:
        """All runs of a session with their steps."""
        await access.look_up(SessionId(session), me)
        room = await rooms.open(DocumentName(session))
        document = SessionDocument(room.document())
        return RunListing(session_id=session, runs=[view_of_run(run, document) for run in document.runs])

    @router.get("/{session}/runs/{run:path}", responses=documented(*_FOR_ONE))
    async def one_run(me: Me, session: SessionPath, run: Annotated[str, Path(max_length=256)]) -> RunView:
        """One run with its steps."""
        await access.look_up(SessionId(session), me)
        room = await rooms.open(DocumentName(session))
        document = SessionDocument(room.document())
        found = document.runs.get(run)
        if found is None:
            raise NoRun("There is no such run in this session, or it is not decided yet.")
        return view_of_run(found, document)

    @router.post("/{session}/cancel", responses=documented(*_FOR_ONE))
    async def cancel(me: Me, session: SessionPath, cancellation: Cancellation | None = None) -> SessionView:
        """Ask that the run at work stops; it keeps what it has written. Again is no error."""
        record, role = await access.look_up(SessionId(session), me)
        actor = Actor(me.user, role, DEVICE, me.name)
        reason = (cancellation or Cancellation()).reason
        await ask_to_cancel(rooms, DocumentName(session), actor, reason)
        return view_of_session(record, role)

    @router.post("/{session}/approvals", status_code=HTTPStatus.ACCEPTED, responses=documented(*_FOR_ONE))
    async def decide(me: Me, session: SessionPath, word: Word) -> Asked:
        """Approve or reject a call that waits. The first word that the session takes counts."""
        actor = await actor_in(session, me)
        document = DocumentName(session)
        await ask_to_decide(rooms, document, actor, word.run, word.call, word.decision, word.reason)
        return Asked(session_id=session, run=word.run)

    @router.get(
        "/{session}/stream", response_class=StreamingResponse, responses=documented(*_FOR_ONE) | _EVENTS
    )
    async def stream(
        me: Me,
        session: SessionPath,
        run: Annotated[str | None, Query(max_length=256, description="Default: the latest.")] = None,
        form: Annotated[Form, Query(alias="format", description="Our own events, or AG-UI's.")] = "events",
        last_event_id: Annotated[str | None, Header(max_length=256)] = None,
    ) -> StreamingResponse:
        """Events of a run as server-sent events, after `Last-Event-ID` where one is sent."""
        actor = await actor_in(session, me)
        document = DocumentName(session)
        if run is None:
            followed = await streams.latest_run(document)
        else:
            followed = await streams.known_run(document, actor, run)
        frames: AsyncIterator[bytes] = streams.follow(document, actor, me, followed, last_event_id, form=form)
        return event_stream(frames)

    return router

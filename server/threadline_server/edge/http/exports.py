"""`/export` and `/import`: a session as data, and a session from data."""

import time
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pycrdt import Doc
from pydantic import BaseModel, ConfigDict, Field, model_validator

from threadline.actors import Role
from threadline.document.rules import MAX_TITLE_CHARS
from threadline.document.session_document import SessionDocument
from threadline.document.values import mapping_of, to_json
from threadline.errors import ProtocolError, SessionError
from threadline.export import Exported, fill, to_export, without_open_ends
from threadline.ids import SessionId, parse_session_id, uuid7
from threadline.markdown import read_markdown, write_markdown
from threadline_server.backplane.base import Backplane, DocumentName
from threadline_server.edge.access import Access
from threadline_server.edge.authentication import Principal
from threadline_server.edge.http.caller import Caller
from threadline_server.edge.http.errors import documented
from threadline_server.edge.http.sessions import SessionPath, SessionView, view
from threadline_server.rooms.registry import Rooms
from threadline_server.rooms.stamper import SERVER

_FOR_ONE = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.GONE)

Form = Literal["json", "markdown"]

IMPORTED = "imported"


class BadExport(ProtocolError):
    """What was given cannot be a session; the message says why."""

    code = "bad_export"


class Import(BaseModel):
    """An export, as JSON or as Markdown, one of the two. The session that comes of it is the caller's,
    whatever the export says of its id and user.
    """

    model_config = ConfigDict(extra="forbid")

    session: dict[str, Any] | None = Field(default=None, description="An export in the form `json`.")
    markdown: str | None = Field(default=None, description="An export in the form `markdown`.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.session is None) == (self.markdown is None):
            raise ValueError("give either session or markdown")
        return self


def export_routes(backplane: Backplane, rooms: Rooms, access: Access, caller: Caller) -> APIRouter:
    router = APIRouter(prefix="/api/v1/sessions", tags=["sessions"])
    Me = Annotated[Principal, Depends(caller)]  # noqa: N806

    @router.get(
        "/{session}/export",
        response_model=dict[str, Any],
        responses=documented(*_FOR_ONE)
        | {
            200: {
                "description": "The whole session",
                "content": {"text/markdown": {"schema": {"type": "string"}}},
            }
        },
    )
    async def export(
        me: Me,
        session: SessionPath,
        form: Annotated[Form, Query(alias="format", description="`json` is complete.")] = "json",
    ) -> Response:
        """Take a session along: its messages, state, counters and runs."""
        record, _ = await access.look_up(SessionId(session), me)
        room = await rooms.open(DocumentName(session))
        document = SessionDocument(room.document())
        exported = to_export(document, session_id=session, user_id=record.owner)
        if form == "markdown":
            return PlainTextResponse(write_markdown(exported), media_type="text/markdown")
        return JSONResponse(exported)

    @router.post(
        "/import",
        status_code=HTTPStatus.CREATED,
        responses=documented(HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT),
    )
    async def import_(me: Me, given: Import) -> SessionView:
        """Make a session of an export, with the label `imported`: who said what is only what it says."""
        content = _content(given)
        made = access.new_record(parse_session_id(uuid7()), me)
        await access.create(replace(made, labels=(IMPORTED,), title=content["title"]))
        async with rooms.replica(DocumentName(made.id), SERVER) as replica:
            with replica.edit() as doc:
                _fill(doc, content)
            await replica.saved()
        return view(await backplane.get_session(made.id), Role.OWNER)

    return router


def _content(given: Import) -> Exported:
    """What the new session will hold, tried on a document of nobody's. Raises BadExport, NotSerializable."""
    try:
        data = read_markdown(given.markdown) if given.markdown is not None else given.session
        whole = mapping_of(to_json(data))
        content = without_open_ends({**whole, "title": _title_of(whole)})
        _fill(Doc(), content)
    except (SessionError, ValueError) as error:
        raise BadExport(f"This is no export of a session: {error}") from error
    return content


def _title_of(data: Exported) -> str:
    title = data.get("title")
    return title[:MAX_TITLE_CHARS] if isinstance(title, str) else ""


def _fill(doc: Doc[Any], content: Exported) -> None:
    fill(SessionDocument(doc), content, now_ms=time.time_ns() // 1_000_000)

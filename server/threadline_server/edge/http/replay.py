"""The log of a session as it was written (`/replay`), and a session from a moment of it (`/branch`)."""

import time
from base64 import b64encode
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends
from pycrdt import Doc
from pydantic import BaseModel, ConfigDict, Field, model_validator

from threadline.document.session_document import SessionDocument
from threadline.errors import SessionError
from threadline.export import fill, to_export, without_open_ends
from threadline.ids import SessionId, parse_session_id, uuid7
from threadline_server.backplane.base import Backplane, DocumentName, Entry, Stored
from threadline_server.edge.access import Access
from threadline_server.edge.authentication import Principal
from threadline_server.edge.http.caller import Caller
from threadline_server.edge.http.errors import documented
from threadline_server.edge.http.sessions import NAME_PATTERN, SessionExists, SessionPath
from threadline_server.rooms.registry import Rooms
from threadline_server.rooms.stamper import SERVER

MAX_REPLAY_BYTES = 16 * 1024 * 1024


class ReplayTooLarge(SessionError):
    """The log holds more than one answer may."""

    code = "replay_too_large"


class NoSuchMoment(SessionError):
    """The moment is not one that the log still tells apart."""

    code = "no_such_moment"


class Change(BaseModel):
    """What one actor wrote in one turn: `update` is a Yjs update (v1) in base64, `at` Unix milliseconds."""

    at: int
    user: str
    update: str


class Replay(BaseModel):
    """`base` holds what came before the changes, null for nothing; applying the changes after it, one by one,
    gives the session at every moment that the log still tells apart.
    """

    base: str | None
    changes: list[Change]


class BranchRequest(BaseModel):
    """Where the branch begins: after so many changes, or as it is with the messages up to one. With neither
    it has everything.
    """

    model_config = ConfigDict(extra="forbid")

    changes: int | None = Field(
        default=None, ge=0, description="How many of the changes of the replay the branch has."
    )
    message: str | None = Field(default=None, max_length=256, description="The last message that it has.")
    id: str | None = Field(
        default=None, pattern=NAME_PATTERN, description="Of the branch; made up when left out."
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if self.changes is not None and self.message is not None:
            raise ValueError("give changes or message, not both")
        return self


class Branch(BaseModel):
    id: str


def replay_routes(backplane: Backplane, rooms: Rooms, access: Access, caller: Caller) -> APIRouter:
    router = APIRouter(prefix="/api/v1/sessions", tags=["sessions"])
    Me = Annotated[Principal, Depends(caller)]  # noqa: N806
    for_one = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.GONE)

    @router.get("/{session}/replay", responses=documented(*for_one))
    async def replay(me: Me, session: SessionPath) -> Replay:
        """The log of a session: who changed what, and when."""
        await access.look_up(SessionId(session), me)
        stored = await backplane.load(DocumentName(session))
        entries = _entries(stored)
        if sum(len(entry.update) for entry in entries) + len(stored.base or b"") > MAX_REPLAY_BYTES:
            raise ReplayTooLarge("The log of this session is too long to be replayed at once.")
        base = None if stored.base is None else _text(stored.base)
        changes = [Change(at=entry.at_ms, user=entry.user, update=_text(entry.update)) for entry in entries]
        return Replay(base=base, changes=changes)

    @router.post("/{session}/branch", status_code=HTTPStatus.CREATED, responses=documented(*for_one))
    async def branch(me: Me, session: SessionPath, asked: BranchRequest) -> Branch:
        """A session of the caller's own that goes on from a moment of this one."""
        record, _ = await access.look_up(SessionId(session), me)
        if asked.changes is None:
            room = await rooms.open(DocumentName(session))
            content = _content_up_to(SessionDocument(room.document()), asked.message, session)
        else:
            stored = await backplane.load(DocumentName(session))
            content = _content_at(stored, asked.changes, session)
        made = access.new_record(parse_session_id(asked.id or uuid7()), me)
        if (await access.create(replace(made, parent=session))).lineage != made.lineage:
            raise SessionExists("A session with this id exists already; choose another.")
        await _write(rooms, DocumentName(made.id), content)
        if title := content["title"] or record.title:
            await backplane.update_session(made.id, title=title)
        return Branch(id=made.id)

    return router


def _entries(stored: Stored) -> list[Entry]:
    return [entry for logged in stored.tail for entry in logged.turn.entries]


def _text(update: bytes) -> str:
    return b64encode(update).decode("ascii")


def _content_at(stored: Stored, changes: int, session: str) -> dict[str, Any]:
    """The session after so many changes, as an export in which nothing is under way. Raises NoSuchMoment."""
    entries = _entries(stored)
    if changes > len(entries):
        raise NoSuchMoment(f"The log of this session has {len(entries)} changes now.")
    doc: Doc[Any] = Doc()
    for update in [stored.base, *(entry.update for entry in entries[:changes])]:
        if update is not None:
            doc.apply_update(update)
    return without_open_ends(to_export(SessionDocument(doc), session_id=session, user_id=""))


def _content_up_to(document: SessionDocument, message: str | None, session: str) -> dict[str, Any]:
    """The session as it is, with the messages up to one, or all. Raises NoSuchMoment."""
    content = to_export(document, session_id=session, user_id="")
    if message is None:
        return without_open_ends(content)
    ids = [each["id"] for each in content["messages"]]
    if message not in ids:
        raise NoSuchMoment("There is no such message in this session.")
    kept = content["messages"][: ids.index(message) + 1]
    said = {each["id"] for each in kept}
    runs = {name: run for name, run in content["runs"].items() if _belongs(run, said)}
    return without_open_ends({**content, "messages": kept, "runs": runs})


def _belongs(run: dict[str, Any], said: set[str]) -> bool:
    """Whether a run answers what was said."""
    return run.get("input", {}).get("message") in said and run.get("message", "") in {"", *said}


async def _write(rooms: Rooms, document: DocumentName, content: dict[str, Any]) -> None:
    async with rooms.replica(document, SERVER) as replica:
        with replica.edit() as doc:
            fill(SessionDocument(doc), content, now_ms=time.time_ns() // 1_000_000)
        await replica.saved()

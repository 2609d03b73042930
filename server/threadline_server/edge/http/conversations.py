"""`/api/v1/conversations`: sessions opened for turn-by-turn sending, each question answered in its request.

A conversation is a session like any other, for devices too; what it was opened with lies in its document.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from threadline.actors import Actor, Role
from threadline.document.lifecycle import RunStatus
from threadline.document.runs import Limits
from threadline.document.session_document import SessionDocument
from threadline.document.values import JSON, mapping_of, number_of, text_of, to_json
from threadline.errors import Forbidden, SessionClosed, SessionError
from threadline.ids import SessionId, parse_session_id, uuid7
from threadline_server.backplane.base import Backplane, DocumentName
from threadline_server.edge.access import Access
from threadline_server.edge.authentication import Principal
from threadline_server.edge.http.asking import DEVICE, Wish, ask_for_run
from threadline_server.edge.http.caller import Caller
from threadline_server.edge.http.errors import documented
from threadline_server.edge.http.idempotency import Idempotency, IdempotencyKey, Ids
from threadline_server.edge.http.run_view import FaultView, UsageView, view_of_run
from threadline_server.edge.http.sessions import NAME_PATTERN, SessionExists, SessionPath
from threadline_server.rooms.onlooker import looking_on
from threadline_server.rooms.registry import Rooms
from threadline_server.rooms.stamper import SERVER

_FOR_ONE = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.GONE)
MARGIN_S = 5.0
LONGEST_WAIT_S = 600.0
"""A run may take longer; whoever asked finds it in the session."""

_SETTLED = frozenset({*(status for status in RunStatus if status.is_terminal), RunStatus.WAITING})


class NotAConversation(SessionError):
    """The session was not opened for turn-by-turn sending."""

    code = "not_a_conversation"


class NewConversation(BaseModel):
    """`context` becomes the session's: who the agent talks to, and what it should know of them."""

    model_config = ConfigDict(extra="forbid")

    id: str | None = Field(
        default=None, pattern=NAME_PATTERN, description="Made up by the server when left out."
    )
    agent: str = Field(
        default="",
        max_length=128,
        validation_alias=AliasChoices("agent_id", "agent"),
        description="The agent that answers; `agent` is taken too.",
    )
    system_override: str = Field(
        default="", max_length=100_000, description="Takes the place of the agent's own instructions."
    )
    max_history: int | None = Field(
        default=None, ge=1, le=1000, description="How many messages the agent is given, the newest ones."
    )
    context: dict[str, Any] = Field(default_factory=dict)


class NewTurn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    content: str = Field(min_length=1, max_length=100_000)
    timeout_seconds: int | None = Field(default=None, ge=1)


class TurnView(BaseModel):
    role: str
    content: str


class ConversationView(BaseModel):
    id: str
    agent_id: str
    closed: bool
    messages: list[TurnView]


class Answer(BaseModel):
    """How the question was answered. `status` is that of its run: `waiting` where a call needs a word."""

    conversation_id: str
    run: str
    status: str
    output: str
    usage: UsageView
    error: FaultView | None


@dataclass(frozen=True, slots=True)
class Opened:
    """What a conversation was opened with, as its document has it."""

    agent: str
    system: str
    max_history: int
    closed: bool = False

    @classmethod
    def read(cls, document: SessionDocument) -> Self:
        """Raises NotAConversation."""
        fields = mapping_of(document.meta.conversation)
        if not fields:
            raise NotAConversation("This session was not opened as a conversation; ask for runs instead.")
        return cls(
            text_of(fields.get("agent")),
            text_of(fields.get("system")),
            number_of(fields.get("max_history")),
            fields.get("closed") is True,
        )

    def write(self) -> dict[str, JSON]:
        return {
            "agent": self.agent,
            "system": self.system,
            "max_history": self.max_history,
            "closed": self.closed,
        }

    def wish(self, turn: NewTurn) -> Wish:
        limits: dict[str, JSON] = {"max_history": self.max_history} if self.max_history else {}
        if turn.timeout_seconds is not None:
            limits["timeout_seconds"] = turn.timeout_seconds
        return Wish(goal=turn.content, agent=self.agent, limits=limits, system=self.system)


def conversation_routes(backplane: Backplane, rooms: Rooms, access: Access, caller: Caller) -> APIRouter:
    router = APIRouter(prefix="/api/v1/conversations", tags=["conversations"])
    idempotency = Idempotency(backplane)
    Me = Annotated[Principal, Depends(caller)]  # noqa: N806

    async def document_of(session: str, me: Principal) -> tuple[SessionDocument, Role]:
        _, role = await access.look_up(SessionId(session), me)
        return SessionDocument((await rooms.open(DocumentName(session))).document()), role

    @router.post("", status_code=HTTPStatus.CREATED, responses=documented(*_FOR_ONE))
    async def create(me: Me, new: NewConversation | None = None) -> ConversationView:
        """Open a conversation with an agent."""
        wanted = new or NewConversation()
        context = mapping_of(to_json(wanted.context, "/context"))
        made = replace(access.new_record(parse_session_id(wanted.id or uuid7()), me), agent=wanted.agent)
        if (await access.create(made)).lineage != made.lineage:
            raise SessionExists("A session with this id exists already; choose another.")
        opened = Opened(wanted.agent, wanted.system_override, wanted.max_history or 0)
        async with rooms.replica(DocumentName(made.id), SERVER) as replica:
            with replica.edit() as doc:
                meta = SessionDocument(doc).meta
                meta.conversation = opened.write()
                meta.context.update(context)
            await replica.saved()
        return ConversationView(id=made.id, agent_id=wanted.agent, closed=False, messages=[])

    @router.get("/{session}", responses=documented(*_FOR_ONE))
    async def get(me: Me, session: SessionPath) -> ConversationView:
        """What was said so far."""
        document, _ = await document_of(session, me)
        return _view(session, document)

    @router.post("/{session}/messages", responses=documented(*_FOR_ONE))
    async def send(
        me: Me, session: SessionPath, turn: NewTurn, idempotency_key: IdempotencyKey = None
    ) -> Answer:
        """Say something and get the answer, once there is one, with everything before it in view. Where it
        takes longer than its time, which it does where no agent is at work, `status` says how far it is.
        """
        document, role = await document_of(session, me)
        opened = Opened.read(document)
        if opened.closed:
            raise SessionClosed("This conversation was closed; open another.")
        actor, name = Actor(me.user, role, DEVICE, me.name), DocumentName(session)
        ids = await idempotency.ids(me.user, idempotency_key, turn, Ids.new(me.user, session))
        await ask_for_run(rooms, name, actor, opened.wish(turn), ids.run, ids.message)
        wait_s = min((turn.timeout_seconds or Limits().timeout_seconds) + MARGIN_S, LONGEST_WAIT_S)
        return await _answer(rooms, name, actor, ids.run, wait_s)

    @router.post("/{session}/close", responses=documented(*_FOR_ONE))
    async def close(me: Me, session: SessionPath) -> ConversationView:
        """End sending; what was said stays. Again is no error."""
        document, role = await document_of(session, me)
        opened = Opened.read(document)
        if role not in (Role.OWNER, Role.EDITOR):
            raise Forbidden("Only owners and editors close a conversation.")
        async with rooms.replica(DocumentName(session), SERVER) as replica:
            with replica.edit() as doc:
                SessionDocument(doc).meta.conversation = replace(opened, closed=True).write()
            await replica.saved()
            return _view(session, SessionDocument(replica.doc))

    return router


async def _answer(rooms: Rooms, name: DocumentName, actor: Actor, run_id: str, wait_s: float) -> Answer:
    """Wait until the run is over or waits for a word, or for `wait_s`. Raises SessionError where the session
    ends before.
    """
    with looking_on(await rooms.open(name), actor) as onlooker:

        def is_settled() -> bool:
            status = SessionDocument(onlooker.document()).runs.status(run_id)
            return onlooker.ended is not None or status in _SETTLED

        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await onlooker.changes.until(is_settled)
        document = SessionDocument(onlooker.document())
        run = document.runs.get(run_id)
        if run is None and onlooker.ended is not None:
            raise SessionError("The session ended before it was answered.", session_id=name)
        told = None if run is None else view_of_run(run, document)
    if told is None:
        return Answer(
            conversation_id=name,
            run=run_id,
            status=RunStatus.QUEUED,
            output="",
            usage=UsageView(),
            error=None,
        )
    return Answer(
        conversation_id=name,
        run=run_id,
        status=told.status,
        output=told.output,
        usage=told.usage,
        error=told.error,
    )


def _view(session: str, document: SessionDocument) -> ConversationView:
    opened = Opened.read(document)
    return ConversationView(
        id=session,
        agent_id=opened.agent,
        closed=opened.closed,
        messages=[TurnView(role=message.role, content=message.text) for message in document.messages],
    )

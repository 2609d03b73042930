"""`/api/v1/sessions/{session}/members` and invitations: who may do what in a session."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from threadline.actors import Role
from threadline.errors import Forbidden, LimitExceeded
from threadline.ids import SessionId, is_agent, parse_member_id
from threadline_server.backplane.base import Backplane, SessionRecord
from threadline_server.edge.access import Access
from threadline_server.edge.access_watch import AccessWatch
from threadline_server.edge.authentication import Principal
from threadline_server.edge.http.caller import Caller
from threadline_server.edge.http.errors import documented
from threadline_server.edge.http.sessions import NAME_PATTERN, SessionPath, SessionView, view
from threadline_server.edge.invitations import Invitation, Invitations
from threadline_server.telemetry.audit import Audit

MAX_MEMBERS = 1_000
DAY_S = 24 * 3600

GrantedRole = Literal["owner", "editor", "viewer", "agent"]
UserPath = Annotated[str, Path(pattern=NAME_PATTERN, description="The member's user name.")]

_FOR_ONE = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE)


class MemberView(BaseModel):
    user: str
    role: str


class Members(BaseModel):
    """The session's owner first."""

    members: list[MemberView]


class Grant(BaseModel):
    """`agent` is for agents, whose names begin with `agent:`, and the others are for people."""

    model_config = ConfigDict(extra="forbid")

    role: GrantedRole


class NewInvitation(BaseModel):
    """`uses` null lets in any number of people until it expires."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["editor", "viewer"] = "editor"
    expires_in_s: int = Field(default=DAY_S, ge=60, le=30 * DAY_S)
    uses: int | None = Field(default=1, ge=1, le=1_000)


class InvitationView(BaseModel):
    id: str
    role: str
    made_by: str
    expires_s: float
    uses_left: int | None


class InvitationMade(InvitationView):
    """`code` is told once. A link carries it behind a `#`, where no server writes it down."""

    code: str


class InvitationList(BaseModel):
    invitations: list[InvitationView]


class Acceptance(BaseModel):
    model_config = ConfigDict(extra="forbid")

    code: str = Field(max_length=512)


def member_routes(
    backplane: Backplane,
    access: Access,
    invitations: Invitations,
    watch: AccessWatch,
    audit: Audit,
    caller: Caller,
) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["members"])
    Me = Annotated[Principal, Depends(caller)]  # noqa: N806

    async def owned(session: str, me: Principal) -> SessionRecord:
        record, role = await access.look_up(SessionId(session), me)
        if role is not Role.OWNER:
            raise Forbidden("Only owners decide who may do what in a session.")
        return record

    async def change(record: SessionRecord, me: Principal, user: str, role: str | None) -> None:
        if user == record.owner:
            raise Forbidden("The user who made a session stays its owner.")
        await backplane.update_session(record.id, members={user: role})
        audit.record("member.changed", by=me.user, session=record.id, user=user, role=role or "none")
        await watch.session_changed(record.id)

    @router.get("/sessions/{session}/members", responses=documented(*_FOR_ONE))
    async def members(me: Me, session: SessionPath) -> Members:
        """List who has been granted what."""
        record, _ = await access.look_up(SessionId(session), me)
        return members_of(record)

    @router.put("/sessions/{session}/members/{user}", responses=documented(*_FOR_ONE))
    async def grant(me: Me, session: SessionPath, user: UserPath, wanted: Grant) -> Members:
        """Grant a role, or another one; live devices of the member have it at once. Owners only."""
        record = await owned(session, me)
        if is_agent(user) is not (Role(wanted.role) is Role.AGENT):
            raise Forbidden("The role agent is for agents, and agents get no other.")
        if user not in record.members and len(record.members) >= MAX_MEMBERS:
            raise LimitExceeded(f"A session has at most {MAX_MEMBERS} members.")
        await change(record, me, _user(user), wanted.role)
        return members_of(await backplane.get_session(record.id))

    @router.delete(
        "/sessions/{session}/members/{user}",
        status_code=HTTPStatus.NO_CONTENT,
        responses=documented(*_FOR_ONE),
    )
    async def take_back(me: Me, session: SessionPath, user: UserPath) -> None:
        """Take a member's access back and end its live devices; members may remove themselves."""
        record = (
            (await access.look_up(SessionId(session), me))[0] if user == me.user else await owned(session, me)
        )
        await change(record, me, user, None)

    @router.post(
        "/sessions/{session}/invitations",
        status_code=HTTPStatus.CREATED,
        responses=documented(*_FOR_ONE, HTTPStatus.TOO_MANY_REQUESTS),
    )
    async def invite(me: Me, session: SessionPath, wanted: NewInvitation | None = None) -> InvitationMade:
        """Make a code that lets people in. Owners only."""
        record = await owned(session, me)
        new = wanted or NewInvitation()
        made, code = await invitations.make(record.id, Role(new.role), me.user, new.expires_in_s, new.uses)
        audit.record("invitation.made", by=me.user, session=record.id, invitation=made.id, role=made.role)
        return InvitationMade(**invitation_view(made).model_dump(), code=code)

    @router.get("/sessions/{session}/invitations", responses=documented(*_FOR_ONE))
    async def invited(me: Me, session: SessionPath) -> InvitationList:
        """List the invitations that still let people in. Owners only."""
        record = await owned(session, me)
        return InvitationList(
            invitations=[invitation_view(each) for each in await invitations.of_session(record.id)]
        )

    @router.delete(
        "/sessions/{session}/invitations/{invitation}",
        status_code=HTTPStatus.NO_CONTENT,
        responses=documented(*_FOR_ONE),
    )
    async def uninvite(me: Me, session: SessionPath, invitation: Annotated[str, Path(max_length=64)]) -> None:
        """Take an invitation back. Who came by it stays."""
        record = await owned(session, me)
        await invitations.take_back(record.id, invitation)
        audit.record("invitation.taken_back", by=me.user, session=record.id, invitation=invitation)

    @router.post("/invitations/accept", responses=documented(*_FOR_ONE))
    async def accept(me: Me, acceptance: Acceptance) -> SessionView:
        """Join a session by the code of an invitation."""
        if is_agent(me.user):
            raise Forbidden("Invitations are for people; owners grant agents their role.")
        record, role = await invitations.accept(acceptance.code, me)
        audit.record("invitation.accepted", by=me.user, session=record.id, role=role)
        await watch.session_changed(record.id)
        return view(record, role)

    return router


def members_of(record: SessionRecord) -> Members:
    granted = [MemberView(user=user, role=role) for user, role in sorted(record.members.items())]
    owner = MemberView(user=record.owner, role=Role.OWNER)
    return Members(members=[owner, *(each for each in granted if each.user != record.owner)])


def invitation_view(made: Invitation) -> InvitationView:
    return InvitationView(
        id=made.id,
        role=made.role,
        made_by=made.made_by,
        expires_s=made.expires_s,
        uses_left=made.uses_left,
    )


def _user(user: str) -> str:
    try:
        return parse_member_id(user)
    except ValueError as error:
        raise Forbidden(str(error)) from error

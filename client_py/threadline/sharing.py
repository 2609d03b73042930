"""Who may do what in a session: members with their roles, and invitations that let people in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import quote, unquote

from pydantic import BaseModel, ConfigDict

from threadline.http_api import HttpApi
from threadline.resources import SessionInfo

DAY_S = 24 * 3600

GrantedRole = Literal["owner", "editor", "viewer", "agent"]


class MemberInfo(BaseModel):
    user: str
    role: str


class InvitationInfo(BaseModel):
    """`uses_left` None lets in any number; `code` is there when it was just made, and never again."""

    model_config = ConfigDict(extra="allow")

    id: str
    role: str
    made_by: str
    expires_s: float
    uses_left: int | None
    code: str = ""


class Members:
    """`client.members`. Owners grant and remove; everybody may remove themselves."""

    def __init__(self, api: HttpApi) -> None:
        self._api = api

    async def list(self, session_id: str) -> Sequence[MemberInfo]:
        """The owner first."""
        return _members(await self._api.call("GET", f"/sessions/{session_id}/members"))

    async def grant(self, session_id: str, user: str, role: GrantedRole) -> Sequence[MemberInfo]:
        """A role, or another one; live devices of the member have it at once."""
        path = f"/sessions/{session_id}/members/{quote(user, safe='')}"
        return _members(await self._api.call("PUT", path, body={"role": role}))

    async def remove(self, session_id: str, user: str) -> None:
        """Take a member's access back; its live devices end on every node within a second."""
        await self._api.call("DELETE", f"/sessions/{session_id}/members/{quote(user, safe='')}")


class Invitations:
    """`client.invitations`."""

    def __init__(self, api: HttpApi, url: str) -> None:
        self._api = api
        self._url = url

    async def make(
        self,
        session_id: str,
        role: Literal["editor", "viewer"] = "editor",
        *,
        expires_in_s: int = DAY_S,
        uses: int | None = 1,
    ) -> InvitationInfo:
        """A code that lets people in; `uses` None for any number of them. Owners only."""
        body = {"role": role, "expires_in_s": expires_in_s, "uses": uses}
        made = await self._api.call("POST", f"/sessions/{session_id}/invitations", body=body)
        return InvitationInfo.model_validate(made)

    def url_of(self, invitation: InvitationInfo) -> str:
        """An address of the web page that accepts it, with the code behind a `#`."""
        return f"{self._url}/#/join/{quote(invitation.code, safe='')}"

    async def list(self, session_id: str) -> Sequence[InvitationInfo]:
        """Those that still let people in."""
        body = await self._api.call("GET", f"/sessions/{session_id}/invitations")
        return [InvitationInfo.model_validate(each) for each in body["invitations"]]

    async def take_back(self, session_id: str, invitation_id: str) -> None:
        """Who came by it stays."""
        await self._api.call("DELETE", f"/sessions/{session_id}/invitations/{invitation_id}")

    async def accept(self, code: str) -> SessionInfo:
        """Join a session by an invitation's code, or the address that carries it. Raises Forbidden."""
        body = await self._api.call("POST", "/invitations/accept", body={"code": code_in(code)})
        return SessionInfo.model_validate(body)


def code_in(text: str) -> str:
    """The code of an invitation, also out of the address that carries it."""
    _, mark, code = text.partition("#/join/")
    return unquote(code) if mark else text


def _members(body: Any) -> list[MemberInfo]:
    return [MemberInfo.model_validate(member) for member in body["members"]]

"""Invitations: whoever has the link joins a session in the role it gives, until it is used up or too old.

The link carries a secret of 192 bits; kept is its digest, under the invitation's id. Uses are counted by
compare-and-set, so a link for three lets in three, however many try at once.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from threadline.actors import Role
from threadline.errors import Forbidden, LimitExceeded
from threadline.ids import SessionId
from threadline_server.backplane.base import Backplane, SessionRecord
from threadline_server.edge.access import GRANTABLE, role_of
from threadline_server.edge.authentication import Principal

MAX_PER_SESSION = 20
KIND = "invitation"


@dataclass(frozen=True, slots=True)
class Invitation:
    """`uses_left` is None for one that may be used by any number of people."""

    id: str
    session: SessionId
    role: Role
    made_by: str
    expires_s: float
    uses_left: int | None
    digest: str


class Invitations:
    def __init__(self, backplane: Backplane, now_s: Callable[[], float]) -> None:
        self._backplane = backplane
        self._now_s = now_s

    async def make(
        self, session: SessionId, role: Role, made_by: str, life_s: float, uses: int | None
    ) -> tuple[Invitation, str]:
        """An invitation and its code, which is not kept. Raises LimitExceeded."""
        if len(await self.of_session(session)) >= MAX_PER_SESSION:
            raise LimitExceeded(f"There are {MAX_PER_SESSION} invitations to this session; take one back.")
        secret = secrets.token_urlsafe(24)
        invitation = Invitation(
            secrets.token_hex(8), session, role, made_by, self._now_s() + life_s, uses, _digest(secret)
        )
        key, ttl_ms = f"{session}/{invitation.id}", round(life_s * 1000)
        await self._backplane.swap_value(KIND, key, None, _encode(invitation), ttl_ms)
        return invitation, f"{session}/{invitation.id}/{secret}"

    async def of_session(self, session: SessionId) -> list[Invitation]:
        stored = await self._backplane.list_values(KIND)
        found = [_decode(value) for key, value in stored.items() if key.startswith(f"{session}/")]
        return sorted(found, key=lambda invitation: invitation.expires_s)

    async def take_back(self, session: SessionId, invitation: str) -> None:
        """Idempotent."""
        key = f"{session}/{invitation}"
        stored = await self._backplane.get_value(KIND, key)
        if stored is not None:
            await self._backplane.swap_value(KIND, key, stored, None)

    async def accept(self, code: str, principal: Principal) -> tuple[SessionRecord, Role]:
        """Let somebody in; nobody loses a role by it. Raises Forbidden, SessionNotFound, SessionDeleted."""
        session, _, rest = code.partition("/")
        key = f"{session}/{rest.partition('/')[0]}"
        secret = rest.partition("/")[2]
        invitation = await self._use(key, secret)
        record = await self._backplane.get_session(invitation.session)
        role = stronger(role_of(record, principal, open_to_all=False), invitation.role)
        if record.owner != principal.user:
            members = {principal.user: str(role)}
            record = await self._backplane.update_session(record.id, members=members)
        return record, role

    async def _use(self, key: str, secret: str) -> Invitation:
        while True:
            stored = await self._backplane.get_value(KIND, key[:300])
            invitation = None if stored is None else _decode(stored)
            if invitation is None or not hmac.compare_digest(invitation.digest, _digest(secret)):
                raise Forbidden("This invitation was used up, taken back or is too old; ask for a new one.")
            if invitation.uses_left is None:
                return invitation
            if await self._count(key, stored, invitation):
                return invitation

    async def _count(self, key: str, stored: bytes | None, invitation: Invitation) -> bool:
        """One use less; False when somebody else was quicker."""
        assert invitation.uses_left is not None
        left_s = invitation.expires_s - self._now_s()
        if invitation.uses_left <= 1 or left_s <= 0:
            return await self._backplane.swap_value(KIND, key, stored, None)
        fewer = replace(invitation, uses_left=invitation.uses_left - 1)
        ttl_ms = max(1, round(left_s * 1000))
        return await self._backplane.swap_value(KIND, key, stored, _encode(fewer), ttl_ms)


def stronger(one: Role | None, other: Role) -> Role:
    """The role that may do more."""
    return other if one is None else min(one, other, key=GRANTABLE.index)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _encode(invitation: Invitation) -> bytes:
    fields = [invitation.id, invitation.session, invitation.role, invitation.made_by, invitation.expires_s]
    return json.dumps([*fields, invitation.uses_left, invitation.digest]).encode()


def _decode(stored: bytes) -> Invitation:
    invitation, session, role, made_by, expires_s, uses_left, digest = json.loads(stored)
    return Invitation(invitation, SessionId(session), Role(role), made_by, expires_s, uses_left, digest)

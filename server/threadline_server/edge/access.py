"""What a principal may do in a session: owners, those granted a role, or anybody where all are trusted."""

from __future__ import annotations

from collections.abc import Callable

from threadline.actors import Role
from threadline.errors import Forbidden, SessionNotFound
from threadline.ids import SessionId, is_agent
from threadline_server.backplane.base import Backplane, SessionRecord
from threadline_server.edge.authentication import Principal
from threadline_server.edge.session_quota import SessionQuota

GRANTABLE = (Role.OWNER, Role.EDITOR, Role.VIEWER)


def role_of(record: SessionRecord, principal: Principal, *, open_to_all: bool) -> Role | None:
    """The role of `principal` in a session, None for none. `open_to_all` makes every other user an editor.

    An agent is let in by the owners of each session, as an agent and nothing else.
    """
    if is_agent(principal.user):
        return Role.AGENT if record.members.get(principal.user) == Role.AGENT else None
    if record.owner == principal.user:
        return Role.OWNER
    granted = record.members.get(principal.user)
    if granted in GRANTABLE:
        return Role(granted)
    return Role.EDITOR if open_to_all else None


class Access:
    """Looks sessions up and creates them at the first authorised join."""

    def __init__(
        self,
        backplane: Backplane,
        *,
        open_to_all: bool,
        now_ms: Callable[[], int],
        new_lineage: Callable[[], str],
        quota: SessionQuota | None = None,
    ) -> None:
        self._backplane = backplane
        self._open_to_all = open_to_all
        self._now_ms = now_ms
        self._new_lineage = new_lineage
        self._quota = quota

    async def look_up(self, session: SessionId, principal: Principal) -> tuple[SessionRecord, Role]:
        """The session and the caller's role in it.

        Raises SessionNotFound, SessionDeleted, or Forbidden for a caller without a role.
        """
        record = await self._backplane.get_session(session)
        return record, self._require(record, principal)

    async def enter(self, session: SessionId, principal: Principal) -> tuple[SessionRecord, Role]:
        """As `look_up`, but a session that is not there is created, owned by the caller, unless that is an
        agent.
        """
        try:
            record = await self._backplane.get_session(session)
        except SessionNotFound:
            record = await self.create(self.new_record(session, principal))
        return record, self._require(record, principal)

    async def create(self, record: SessionRecord) -> SessionRecord:
        """The session that is there now, `record` or an older one.

        Raises SessionDeleted, LimitExceeded, Forbidden for an agent, which owns none.
        """
        if is_agent(record.owner):
            raise Forbidden("An agent makes no sessions: it is let into those of people.")
        if self._quota is not None:
            await self._quota.take(record.owner)
        return await self._backplane.create_session(record)

    def _require(self, record: SessionRecord, principal: Principal) -> Role:
        role = self.role(record, principal)
        if role is None:
            raise Forbidden("You have no access to this session; ask its owner to share it with you.")
        return role

    def role(self, record: SessionRecord, principal: Principal) -> Role | None:
        return role_of(record, principal, open_to_all=self._open_to_all)

    def visible_to(self, principal: Principal) -> str | None:
        """The user to whom a listing is limited, None for no limit."""
        return None if self._open_to_all and not is_agent(principal.user) else principal.user

    def new_record(self, session: SessionId, principal: Principal) -> SessionRecord:
        """A session that `principal` would own, not stored yet."""
        now_ms = self._now_ms()
        return SessionRecord(session, self._new_lineage(), principal.user, now_ms, now_ms)

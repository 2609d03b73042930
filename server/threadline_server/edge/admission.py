"""Letting a device into a document: who it is, what it may do, whether its copy belongs here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import metadata
from typing import TypeAlias

from threadline.actors import Actor, Role
from threadline.errors import Forbidden, LineageMismatch
from threadline.ids import COMPANION_MARK, split_document_name
from threadline.protocol.credentials import Credentials
from threadline.protocol.limits import Limits
from threadline.protocol.notices import Hello, ServerInfo, encode_note
from threadline_server.backplane.base import DocumentName, Durability, SessionRecord
from threadline_server.edge.access import Access
from threadline_server.edge.authentication import Authenticator, Principal
from threadline_server.rooms.room import Room

SERVER = ServerInfo("threadline", metadata.version("threadline"))

OpenRoom = Callable[[DocumentName], Awaitable[Room]]

ME = "me"


@dataclass(frozen=True, slots=True)
class Pass:
    """Who may enter which document, as whom."""

    document: DocumentName
    actor: Actor
    record: SessionRecord
    principal: Principal


OnJoin: TypeAlias = Callable[[Pass], None]


def _unheard(admitted: Pass) -> None:
    """Nobody is told of who joins."""


class Admission:
    def __init__(
        self,
        authenticator: Authenticator,
        access: Access,
        open_room: OpenRoom,
        *,
        durability: Durability,
        limits: Limits,
        on_join: OnJoin = _unheard,
    ) -> None:
        """`on_join` hears of each device that is let into a session."""
        self._authenticator = authenticator
        self._access = access
        self._open_room = open_room
        self._durability = durability
        self._limits = limits
        self._on_join = on_join

    async def check(self, name: str, credentials: Credentials, *, in_url: bool = False) -> Pass:
        """Authenticate and authorise for the document `name` as it stands on the wire.

        Raises Unauthorized, Forbidden, LineageMismatch, SessionDeleted, StoreError, or ValueError for what is
        no name.
        """
        principal = await self._authenticator.authenticate(credentials.token, in_url=in_url)
        session, companion = split_document_name(name)
        if companion not in (None, ME, principal.user):
            raise Forbidden("A companion document belongs to one user, and that is not you.")
        record, role = await self._access.enter(session, principal)
        if credentials.lineage not in ("", record.lineage):
            raise LineageMismatch("Your copy is of another session that once had this name.")
        document = DocumentName(session)
        if companion is not None:
            document = DocumentName(f"{session}{COMPANION_MARK}{principal.user}")
            role = Role.OWNER
        actor = Actor(principal.user, role, credentials.device, principal.name)
        return Pass(document, actor, record, principal)

    async def open(self, admitted: Pass) -> Room:
        """The room of an admitted device. Raises SessionDeleted or StoreError."""
        return await self._open_room(admitted.document)

    async def admit(self, name: str, credentials: Credentials, *, in_url: bool = False) -> tuple[Pass, Room]:
        """`check` and `open`, within a bounded time. Raises TimeoutError besides."""
        async with asyncio.timeout(self._limits.authentication_deadline_s):
            admitted = await self.check(name, credentials, in_url=in_url)
            room = await self.open(admitted)
        if COMPANION_MARK not in admitted.document:
            self._on_join(admitted)
        return admitted, room

    def hello(self, admitted: Pass) -> str:
        """The first Stateless payload for a device."""
        limits = self._limits
        return encode_note(
            Hello(
                session=admitted.record.id,
                lineage=admitted.record.lineage,
                user=admitted.actor.user,
                role=admitted.actor.role,
                device=admitted.actor.device,
                durability=self._durability,
                server=SERVER,
                limits={
                    "max_frame_bytes": limits.max_frame_bytes,
                    "max_step2_bytes": limits.max_step2_bytes,
                    "max_awareness_state_bytes": limits.max_awareness_state_bytes,
                    "max_documents_per_socket": limits.max_documents_per_socket,
                },
            )
        )

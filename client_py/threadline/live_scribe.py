"""Writes the transcript of a session on a server: messages without places, and other lists in its place."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from threadline.actors import Role
from threadline.document.messages import Author, Message, MessageStatus
from threadline.guard import Guard
from threadline.ids import new_entry_id
from threadline.recovery import check_message
from threadline.transcript import CompactionRequest, NewMessage, compaction_of

if TYPE_CHECKING:
    from threadline.client import Client
    from threadline.live_session import LiveSession


class LiveScribe:
    """Of one session, for this device's user."""

    def __init__(self, session: LiveSession, client: Client, guard: Guard) -> None:
        self._session = session
        self._client = client
        self._guard = guard
        self._last_created_ms = 0
        self._compactions: list[asyncio.Future[None]] = []

    def write(self, role: str, content: str, fields: Mapping[str, Any]) -> Message:
        """A message without a place: the server gives it one when it is admitted. Raises Refused."""
        session = self._session
        message = Message(
            id=new_entry_id(session.user_id),
            role=role,
            author=Author(session.user_id, session.device, str(fields.get("name", ""))),
            created_at=self._next_created_ms(),
            text=content,
        )
        check_message(self._guard, message)
        options = {name: fields[name] for name in ("data", "attachments", "run", "parent") if name in fields}
        return session.messages.create(
            message.id,
            role=role,
            author=message.author,
            created_at=message.created_at,
            text=content,
            **options,
        )

    def assign(self, wanted: list[Message | NewMessage]) -> None:
        """An owner's list is made by the server, which may move what others said; `assigned` waits for it.
        Others can retract their own messages alone, and add messages of people. Raises Refused, SessionError.
        """
        if self._session.role is Role.OWNER:
            request = compaction_of(self._session.messages, wanted)
            self._compactions.append(self._client.later(self._compact(request)))
        else:
            self._assign_own(wanted)

    async def assigned(self) -> None:
        """Until lists that were assigned before are there. Raises what went wrong with one, once."""
        waiting, self._compactions = self._compactions, []
        for compaction in waiting:
            await compaction

    async def _compact(self, request: CompactionRequest) -> None:
        session = self._session
        await session.joined()
        await session.written()
        inserted = await self._client.sessions.compact(
            session.id, retract=request.retract, insert=request.insert
        )
        gone, messages = set(request.retract), session.messages
        await session.until(
            lambda: gone.isdisjoint(messages.ids()) and all(name in messages for name in inserted)
        )

    def _assign_own(self, wanted: list[Message | NewMessage]) -> None:
        session = self._session
        kept = {item.id for item in wanted if isinstance(item, Message)}
        dropped = [message_id for message_id in session.messages.ids() if message_id not in kept]
        for message_id in dropped:
            self._guard.write(("messages", message_id, "status"), MessageStatus.RETRACTED)
        with session.document.transaction():
            for message_id in dropped:
                session.messages.set_status(message_id, MessageStatus.RETRACTED)
            for item in wanted:
                if not isinstance(item, Message):
                    self._add({"role": "user", "content": item} if isinstance(item, str) else item)

    def _add(self, fields: Mapping[str, Any]) -> None:
        rest = {name: value for name, value in fields.items() if name not in ("role", "content")}
        self.write(str(fields.get("role", "user")), str(fields.get("content", "")), rest)

    def _next_created_ms(self) -> int:
        """Strictly rising, because unsent messages stand in this order."""
        self._last_created_ms = max(time.time_ns() // 1_000_000, self._last_created_ms + 1)
        return self._last_created_ms

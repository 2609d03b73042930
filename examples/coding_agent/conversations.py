"""Conversations under names that clients choose, each a session with the notebook agent.

A name that was deleted can be used again, so a conversation is a session with a label for its name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from examples.coding_agent.settings import Options

from threadline.client import Client
from threadline.errors import LimitExceeded, SessionDeleted, SessionNotFound
from threadline.ids import uuid7
from threadline.live_session import LiveSession
from threadline.run import Run

AGENT = "notebook"
KIND = "coding-agent"
PAGE = 200
ANSWER_S = 120.0


class Conversations:
    def __init__(self, client: Client, options: Options) -> None:
        self._client = client
        self._options = options
        self._creating = asyncio.Lock()

    async def find(self, name: str) -> LiveSession:
        """Raises SessionNotFound."""
        found = await self._client.sessions.list(label=f"name:{name}", limit=1)
        if not found:
            raise SessionNotFound("Session not found", session_id=name)
        try:
            return await self._client.open(found[0].id, create=False)
        except SessionDeleted:
            raise SessionNotFound("Session not found", session_id=name) from None

    async def begin(self, name: str) -> LiveSession:
        """The conversation of this name, made where there is none. Raises LimitExceeded."""
        async with self._creating:
            try:
                return await self.find(name)
            except SessionNotFound:
                pass
            if len(await self.all()) >= self._options.max_concurrent:
                raise LimitExceeded(
                    f"There are {self._options.max_concurrent} sessions already; delete one first."
                )
            created = await self._client.sessions.create(id=uuid7(), labels=[KIND, f"name:{name}"])
            return await self._client.open(created.id)

    async def all(self) -> list[Any]:
        """Every conversation as the catalogue has it."""
        found: list[Any] = []
        cursor: str | None = None
        while True:
            page = await self._client.sessions.page(label=KIND, limit=PAGE, cursor=cursor)
            found += page.sessions
            cursor = page.cursor
            if cursor is None:
                return found

    async def ask(self, session: LiveSession, query: str, context: Mapping[str, Any]) -> Run:
        """Record what the client says of its notebook, then the query, and ask for an answer."""
        if names := context.get("variables"):
            told = {
                key: value if isinstance(value, dict) else {"type": str(value)}
                for key, value in names.items()
            }
            session.set("variables", {**session.get("variables", {}), **told})
        kept = {key: context[key] for key in ("notebook_id", "cell_count") if key in context}
        if kept:
            session.context.update(kept)
        limits = {"max_history": self._options.history_limit}
        run = await session.send(query, agent=AGENT, context=dict(context), limits=limits)
        await session.saved(ANSWER_S)
        return run

    async def delete(self, name: str) -> str:
        """Deletes it for good and gives back the session's id. Raises SessionNotFound."""
        session = await self.find(name)
        await session.close(delete=True)
        return session.id

    def turns(self, session: LiveSession) -> list[dict[str, str]]:
        """What is kept in view, oldest first."""
        return [dict(turn) for turn in session.get_history(self._options.history_limit)]

    def info(self, name: str, session: LiveSession) -> dict[str, Any]:
        messages = session.messages[:]
        latest = max((message.created_at for message in messages), default=0)
        return {
            "session_id": name,
            "notebook_id": session.context.to_dict().get("notebook_id"),
            "turn_count": len(self.turns(session)),
            "last_activity": datetime.fromtimestamp(latest / 1000, UTC).isoformat(),
            "variables": sorted(session.get("variables", {})),
        }

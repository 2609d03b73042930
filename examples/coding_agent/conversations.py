"""Conversations under names that clients choose, each a session with the notebook agent.

A name that was deleted can be used again, so a conversation is a session with a label for its name.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from examples.coding_agent.settings import Options

from threadline.client import Client
from threadline.errors import LimitExceeded, SessionDeleted, SessionNotFound
from threadline.ids import uuid7
from threadline.live_session import LiveSession
from threadline.resources import SessionInfo
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
        self._uses: Counter[str] = Counter()

    @asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[LiveSession]:
        """The conversation of this name, joined for the block. Raises SessionNotFound."""
        async with self._joined(await self._id_of(name)) as session:
            yield session

    @asynccontextmanager
    async def begun(self, name: str) -> AsyncIterator[LiveSession]:
        """As `of`, made where there is none. Raises LimitExceeded."""
        async with self._creating:
            try:
                session_id = await self._id_of(name)
            except SessionNotFound:
                session_id = await self._create(name)
        async with self._joined(session_id) as session:
            yield session

    async def newest(self, found: list[SessionInfo]) -> list[dict[str, Any]]:
        """What `info` says of conversations of the catalogue, without those deleted meanwhile."""
        told = []
        for each in found:
            with suppress(SessionNotFound):
                async with self._joined(each.id) as session:
                    told.append(self.info(_name_of(each), session))
        return told

    async def _id_of(self, name: str) -> str:
        found = await self._client.sessions.list(label=f"name:{name}", limit=1)
        if not found:
            raise SessionNotFound("Session not found", session_id=name)
        return found[0].id

    async def _create(self, name: str) -> str:
        if len(await self.all()) >= self._options.max_concurrent:
            raise LimitExceeded(
                f"There are {self._options.max_concurrent} sessions already; delete one first."
            )
        return (await self._client.sessions.create(id=uuid7(), labels=[KIND, f"name:{name}"])).id

    @asynccontextmanager
    async def _joined(self, session_id: str) -> AsyncIterator[LiveSession]:
        """Left with its last use: a session that somebody has open does not expire."""
        session: LiveSession | None = None
        self._uses[session_id] += 1
        try:
            session = await self._client.open(session_id, create=False)
            yield session
        except SessionDeleted:
            raise SessionNotFound("Session not found", session_id=session_id) from None
        finally:
            self._uses[session_id] -= 1
            if not self._uses[session_id]:
                del self._uses[session_id]
                if session is not None:
                    session.leave()

    async def all(self) -> list[SessionInfo]:
        """Every conversation as the catalogue has it, the one used last first."""
        found: list[SessionInfo] = []
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
        async with self.of(name) as session:
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


def _name_of(found: SessionInfo) -> str:
    names = (label for label in found.labels if label.startswith("name:"))
    return next(names, "").removeprefix("name:")

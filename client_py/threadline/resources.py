"""The HTTP API by subject: `client.sessions`, `client.agents`, `client.conversations`, `client.metrics`."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from threadline.document.events import Event
from threadline.errors import SessionClosed, SessionError
from threadline.http_api import HttpApi
from threadline.ids import uuid7
from threadline.replay import SessionLog
from threadline.run import Run, RunResult

if TYPE_CHECKING:
    from threadline.client import Client
    from threadline.live_session import LiveSession

Json = dict[str, Any]

DEFAULT_LIMIT = 50
EXECUTE_TIMEOUT_S = 120


class SessionInfo(BaseModel):
    """A session as the catalogue has it, and its latest run where it has one; later fields are kept."""

    model_config = ConfigDict(extra="allow")

    id: str
    title: str = ""
    owner: str = ""
    role: str = ""
    agent: str = ""
    status: str = ""
    parent: str = ""
    labels: list[str] = []


class SessionPage(BaseModel):
    """`cursor` asks for the next page; None on the last one."""

    sessions: list[SessionInfo]
    cursor: str | None = None


class Undone(BaseModel):
    """What was put back, and what was left because somebody else has changed it since."""

    run: str
    restored: list[str]
    left: list[str]


class MetricsReport(BaseModel):
    """Numbers of a period; those that were not asked for are None. `avg_duration` is in milliseconds,
    `success_rate` in percent.
    """

    model_config = ConfigDict(extra="allow")

    agent_id: str | None = None
    period: str
    sessions_total: int | None = None
    avg_duration: float | None = None
    success_rate: float | None = None

    def __getitem__(self, name: str) -> Any:
        """As an attribute, for names that are known only when it runs. Raises AttributeError."""
        return getattr(self, name)


class Sessions:
    """`/api/v1/sessions`. Every method raises the ThreadlineError that the server names."""

    def __init__(self, api: HttpApi) -> None:
        self._api = api

    async def create(
        self, agent_id: str = "", goal: str = "", *, idempotency_key: str | None = None, **fields: Any
    ) -> SessionInfo:
        """A new session; with a `goal`, its first run too, which goes on while this returns.

        `fields`: id, title, labels, parent, context, max_steps, max_tokens, timeout_seconds, tools, model.
        Called again with the same `idempotency_key`, it gives back what is there and starts nothing.
        """
        body = {"agent_id": agent_id, "goal": goal, **fields}
        given = {name: value for name, value in body.items() if value not in (None, "")}
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        made = await self._api.call("POST", "/sessions", body=given, headers=headers)
        return SessionInfo.model_validate(made)

    async def get(self, session_id: str) -> SessionInfo:
        return SessionInfo.model_validate(await self._api.call("GET", f"/sessions/{session_id}"))

    async def page(
        self,
        *,
        agent_id: str | None = None,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
        **filters: Any,
    ) -> SessionPage:
        """Newest activity first. `filters`: status, label, parent, text."""
        params = {"agent_id": agent_id, "limit": limit, "cursor": cursor, **filters}
        return SessionPage.model_validate(await self._api.call("GET", "/sessions", params=params))

    async def list(
        self, agent_id: str | None = None, limit: int = DEFAULT_LIMIT, **filters: Any
    ) -> Sequence[SessionInfo]:
        """The newest `limit` sessions that the caller may see."""
        return (await self.page(agent_id=agent_id, limit=limit, **filters)).sessions

    async def update(self, session_id: str, **changes: Any) -> SessionInfo:
        """Change `title` or `labels`."""
        body = await self._api.call("PATCH", f"/sessions/{session_id}", body=changes)
        return SessionInfo.model_validate(body)

    async def history(self, session_id: str, limit: int = DEFAULT_LIMIT, cursor: str | None = None) -> Json:
        """A page of the transcript, the newest first: `messages` and the `cursor` of the page before."""
        params = {"limit": limit, "cursor": cursor}
        page: Json = await self._api.call("GET", f"/sessions/{session_id}/history", params=params)
        return page

    async def cancel(self, session_id: str, reason: str = "") -> SessionInfo:
        """Stop the active run; again is no error."""
        body = await self._api.call("POST", f"/sessions/{session_id}/cancel", body={"reason": reason})
        return SessionInfo.model_validate(body)

    async def stream(self, session_id: str, *, after: str | None = None) -> AsyncIterator[Json]:
        """Events of the latest run as objects with a `type`, to `done`; resumable from an event's `id`."""
        async for event in self._api.events(f"/sessions/{session_id}/stream", after=after):
            yield event

    async def attach(
        self,
        session_id: str,
        name: str,
        data: bytes,
        type: str = "",  # noqa: A002  (the name in a message)
    ) -> Json:
        """Keep a small file with the session, and give back what a message names it by: id, name, type, size.

        The `type` is guessed from the name where it is left out.
        """
        kind = type or mimetypes.guess_type(name)[0] or "application/octet-stream"
        path = f"/sessions/{session_id}/attachments"
        made: Json = await self._api.upload(path, data, kind, params={"name": name})
        return made

    async def attachment(self, session_id: str, attachment_id: str) -> bytes:
        """The content of an attached file."""
        return await self._api.download(f"/sessions/{session_id}/attachments/{quote(attachment_id, safe='')}")

    async def decide(self, session_id: str, run: str, call: str, decision: str, reason: str = "") -> None:
        """`approve` or `reject` a call that waits. Raises SessionError where it does not."""
        body = {"run": run, "call": call, "decision": decision, "reason": reason}
        await self._api.call("POST", f"/sessions/{session_id}/approvals", body=body)

    async def replay(self, session_id: str) -> SessionLog:
        """The log of the session: what it was at every moment that is still told apart."""
        return SessionLog.from_json(session_id, await self._api.call("GET", f"/sessions/{session_id}/replay"))

    async def branch(
        self,
        session_id: str,
        *,
        message: str | None = None,
        changes: int | None = None,
        id: str | None = None,  # noqa: A002
    ) -> SessionInfo:
        """A session of one's own with the messages up to one, from a moment of the replay, or with all."""
        body = {"message": message, "changes": changes, "id": id}
        given = {name: value for name, value in body.items() if value is not None}
        made = await self._api.call("POST", f"/sessions/{session_id}/branch", body=given)
        return await self.get(made["id"])

    async def export(self, session_id: str, format: str = "json") -> Json | str:  # noqa: A002
        """The whole session as data (`json`) or as a text (`markdown`)."""
        path, params = f"/sessions/{session_id}/export", {"format": format}
        if format == "markdown":
            return await self._api.text(path, params=params)
        exported: Json = await self._api.call("GET", path, params=params)
        return exported

    async def import_(self, exported: Mapping[str, Any] | str) -> SessionInfo:
        """A new session of one's own from an export, as data or Markdown text."""
        body = {"markdown": exported} if isinstance(exported, str) else {"session": dict(exported)}
        return SessionInfo.model_validate(await self._api.call("POST", "/sessions/import", body=body))

    async def undo(self, session_id: str, run: str) -> Undone:
        """Take back what a run that is over has changed; what others changed since stays."""
        body = await self._api.call("POST", f"/sessions/{session_id}/undo", body={"run": run})
        return Undone.model_validate(body)

    async def compact(
        self, session_id: str, *, retract: Sequence[str], insert: Sequence[Mapping[str, Any]] = ()
    ) -> Sequence[str]:
        """Put shorter messages in the place of others, as the session's owner; gives back their ids.

        `insert`: `role`, `content`, and `after`, the id of the message before it, None for the beginning.
        """
        body = {"retract": list(retract), "insert": [dict(message) for message in insert]}
        made = await self._api.call("POST", f"/sessions/{session_id}/compact", body=body)
        ids: Sequence[str] = made["inserted"]
        return ids

    async def delete(self, session_id: str) -> None:
        """Delete it for everybody, for good."""
        await self._api.call("DELETE", f"/sessions/{session_id}")


class Agents:
    """`client.agents.get("travel").execute(goal=...)`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def get(self, agent_id: str = "") -> RemoteAgent:
        return RemoteAgent(self._client, agent_id)

    async def list(self) -> Sequence[Json]:
        """Agents that the server can run."""
        body = await self._client.api.call("GET", "/agents")
        agents: Sequence[Json] = body["agents"]
        return agents


class RemoteAgent:
    """An agent of the server. Each execution is a session of its own with one run."""

    def __init__(self, client: Client, agent_id: str) -> None:
        self.id = agent_id
        self._client = client

    async def execute(
        self, goal: str, *, context: object = None, timeout_seconds: int = EXECUTE_TIMEOUT_S, **options: Any
    ) -> RunResult:
        """Work toward `goal` and give back how it ended. `options` are those of `execute_stream`.

        Raises TimeoutError where the run used up its time, after it was stopped.
        """
        session = await self._client.open(uuid7())
        try:
            run = await self._start(session, goal, context, timeout_seconds, options)
            result = await run.result()
        finally:
            await session.close()
        if result.status == "timeout":
            raise TimeoutError(f"The run {run.id} used up its {timeout_seconds} seconds.")
        return result

    async def execute_stream(
        self, goal: str, *, context: object = None, timeout_seconds: int = EXECUTE_TIMEOUT_S, **options: Any
    ) -> AsyncIterator[Event]:
        """Events of an execution as they happen. `options`: max_steps, max_tokens, tools, model, system."""
        session = await self._client.open(uuid7())
        try:
            run = await self._start(session, goal, context, timeout_seconds, options)
            async for event in run.events():
                yield event
        finally:
            await session.close()

    async def _start(
        self,
        session: LiveSession,
        goal: str,
        context: object,
        timeout_seconds: int,
        options: Mapping[str, Any],
    ) -> Run:
        rest = dict(options)
        limits: Json = {name: rest.pop(name) for name in ("max_steps", "max_tokens") if name in rest}
        limits["timeout_seconds"] = timeout_seconds
        return await session.send(goal, agent=self.id, goal=goal, context=context, limits=limits, **rest)


class Conversations:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def create(
        self,
        agent_id: str = "",
        *,
        session_id: str | None = None,
        context: Mapping[str, Any] | None = None,
        system_override: str = "",
        max_history: int | None = None,
    ) -> Conversation:
        """A session opened for turn-by-turn sending; `context` becomes the session's."""
        session = await self._client.open(session_id or uuid7())
        if context:
            session.context.update(context)
        return Conversation(session, agent_id, system_override, max_history)


class Conversation:
    """`send` after `send`, each answered with everything before in view."""

    def __init__(self, session: LiveSession, agent_id: str, system: str, max_history: int | None) -> None:
        self.id = session.id
        self.session = session
        self._agent = agent_id
        self._system = system
        self._max_history = max_history
        self._closed = False
        self._turn = asyncio.Lock()

    async def send(self, text: str, *, timeout_s: float | None = None) -> RunResult:
        """Ask, and wait for the answer. Raises SessionClosed, TimeoutError, SessionError for a failed run."""
        if self._closed:
            raise SessionClosed("This conversation was closed; open another.", session_id=self.id)
        limits = {"max_history": self._max_history} if self._max_history is not None else None
        async with self._turn:
            run = await self.session.send(text, agent=self._agent, system=self._system, limits=limits)
            result = await run.result(timeout_s)
        if result.error is not None:
            raise SessionError(result.error.message, session_id=self.id, code=result.error.code)
        return result

    @property
    def messages(self) -> list[Json]:
        """`[{"role", "content"}, ...]` so far."""
        return [dict(message) for message in self.session.get_history()]

    async def close(self) -> None:
        """End sending; what was said stays."""
        if not self._closed:
            self._closed = True
            await self.session.close()


class Metrics:
    def __init__(self, api: HttpApi) -> None:
        self._api = api

    async def get(
        self, agent_id: str | None = None, period: str = "7d", metrics: Sequence[str] | None = None
    ) -> MetricsReport:
        """Numbers of the last hours (`24h`) or days (`7d`); all there are where no `metrics` are named."""
        params = {"agent_id": agent_id, "period": period, "metrics": ",".join(metrics) if metrics else None}
        return MetricsReport.model_validate(await self._api.call("GET", "/metrics", params=params))

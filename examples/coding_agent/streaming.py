"""`WS /api/agent/stream`: `query`, `approval` and `cancel` come in, the run's events go out."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from examples.coding_agent.conversations import Conversations
from examples.coding_agent.wording import code_for
from fastapi import WebSocket

from threadline.document.events import Done, Error, Output, Thinking, ToolCall, ToolResult
from threadline.errors import ThreadlineError
from threadline.ids import uuid7
from threadline.live_session import LiveSession
from threadline.run import Run


async def converse(socket: WebSocket, conversations: Conversations, tasks: asyncio.TaskGroup) -> None:
    """Until the client leaves; then the query under way goes on in its session."""
    talk = _Talk(socket, conversations)
    telling: asyncio.Task[None] | None = None
    try:
        while True:
            try:
                asked = json.loads(await socket.receive_text())
                kind = asked["type"]
            except (ValueError, TypeError, KeyError):
                await socket.send_json({"type": "error", "error": "A message is JSON with a type."})
                continue
            if kind == "query" and (telling is None or telling.done()):
                telling = tasks.create_task(
                    talk.query(str(asked.get("query", "")), asked.get("context") or {})
                )
            elif kind == "approval":
                await talk.decide(bool(asked.get("approved")), asked.get("modifications"))
            elif kind == "cancel":
                await talk.cancel()
            else:
                await socket.send_json({"type": "error", "error": f"Not now, or unknown: {kind}"})
    finally:
        if telling is not None:
            telling.cancel()


class _Talk:
    def __init__(self, socket: WebSocket, conversations: Conversations) -> None:
        self._socket = socket
        self._conversations = conversations
        self._session: LiveSession | None = None
        self._run: Run | None = None
        self._instead = ""

    async def query(self, words: str, context: dict[str, Any]) -> None:
        name = str(context.get("session_id") or uuid7())
        try:
            async with self._conversations.begun(name) as self._session:
                while words:
                    self._instead = ""
                    await self._answer(words, context)
                    words, context = self._instead, {**context, "require_approval": False}
        except ThreadlineError as error:
            await self._socket.send_json({"type": "error", "error": error.message})

    async def decide(self, approved: bool, modifications: str | None) -> None:
        """Code that a person has changed runs in the place of the one that waited."""
        if self._run is None or not self._run.pending:
            await self._socket.send_json({"type": "error", "error": "Nothing waits for approval."})
        elif approved and not modifications:
            await self._run.approve()
        else:
            if approved and modifications:
                self._instead = f"```python\n{modifications}\n```"
            await self._run.reject(reason="replaced" if self._instead else "declined")

    async def cancel(self) -> None:
        if self._run is not None and not self._run.is_over:
            await self._run.cancel("cancelled by the client")

    async def _answer(self, words: str, context: dict[str, Any]) -> None:
        assert self._session is not None
        send = self._socket.send_json
        code = code_for(words)
        await send({"type": "plan", "steps": ["write code", "run it"] if code else ["answer"]})
        run = self._run = await self._conversations.ask(self._session, words, context)
        async for event in run.events():
            match event:
                case Thinking():
                    await send({"type": "thinking", "content": event.content})
                case ToolCall():
                    arguments = event.arguments if isinstance(event.arguments, dict) else {}
                    await send({"type": "code", "code": arguments.get("code")})
                    if event.tool_name == "run_approved_code":
                        await send({"type": "approval_needed", "code": arguments.get("code")})
                case ToolResult():
                    await send({"type": "execution_result", "result": event.output})
                case Output():
                    await send({"type": "explanation", "content": event.content})
                case Error():
                    await send({"type": "error", "error": event.message})
                case Done():
                    await send({"type": "usage", "total_tokens": event.tokens_used})
                    if not self._instead:
                        await send({"type": "complete", "status": event.status})

"""The HelpDesk protocol over HTTP: `/api/chat`, `/api/chat-stream` (NDJSON) and `/api/chat-ws`.

The server keeps nothing between requests: the session's state comes with a message and goes back in the
answer.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse

from threadline.agents.agent import Agent
from threadline.agents.function import as_agent
from threadline.agents.helpdesk.answer import Json, events_of, message_of
from threadline.agents.helpdesk.request import BadRequest, ChatRequest, MissingMessages, read_request
from threadline.errors import ThreadlineError
from threadline.session import Session

MAX_BODY_BYTES = 8 * 1024 * 1024


def create_app(agent: Agent | Callable[..., Any], *, additional_routers: Iterable[APIRouter] = ()) -> FastAPI:
    """The application for an agent, or for a function `(messages, context[, session])`."""
    chat = _Chat(as_agent(agent))
    app = FastAPI(title=chat.agent.name, description=chat.agent.description)
    app.get("/health")(_health)
    for path in ("/api/chat", "/api/sendMessage"):
        app.post(path, name=path)(chat.answer)
    for path in ("/api/chat-stream", "/api/sendMessageStream"):
        app.post(path, name=path, response_model=None)(chat.stream)
    app.websocket("/api/chat-ws")(chat.converse)
    for router in additional_routers:
        app.include_router(router)
    return app


class _Chat:
    def __init__(self, agent: Agent) -> None:
        self.agent = agent

    async def answer(self, request: Request) -> Json:
        asked = await _asked(request)
        try:
            message = await self.agent.chat(asked.messages, asked.context, Session(asked.state))
        except ValueError as error:
            raise HTTPException(HTTPStatus.BAD_REQUEST, str(error)) from error
        except ThreadlineError as error:
            raise HTTPException(HTTPStatus.INTERNAL_SERVER_ERROR, error.message) from error
        return message_of(message, asked)

    async def stream(self, request: Request) -> StreamingResponse:
        asked = await _asked(request)
        lines = (json.dumps(event) + "\n" async for event in self._events(asked))
        return StreamingResponse(lines, media_type="application/x-ndjson")

    async def converse(self, socket: WebSocket) -> None:
        """Request after request on one socket; one that is wrong is answered with an error."""
        await socket.accept()
        try:
            while True:
                text = await socket.receive_text()
                try:
                    asked = read_request(text)
                except MissingMessages:
                    await socket.send_json({"type": "error", "error": "Missing 'messages' field"})
                except BadRequest as error:
                    await socket.send_json({"type": "error", "error": error.message})
                else:
                    async for event in self._events(asked):
                        await socket.send_json(event)
        except WebSocketDisconnect:
            return

    async def _events(self, asked: ChatRequest) -> AsyncIterator[Json]:
        try:
            stream = self.agent.run_stream(asked.messages, asked.context, Session(asked.state))
            async for event in stream:
                for sent in events_of(event, asked):
                    yield sent
        except (ValueError, ThreadlineError) as error:
            yield {"type": "error", "error": str(error)}


async def _asked(request: Request) -> ChatRequest:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the request is too large")
    try:
        return read_request(bytes(body))
    except BadRequest as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, error.message) from error


async def _health() -> dict[str, str]:
    return {"status": "ok"}

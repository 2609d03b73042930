"""The coding agent's HTTP API and its streaming WebSocket, over sessions of a Threadline server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated, Any

from examples.coding_agent.agent import kernels
from examples.coding_agent.conversations import ANSWER_S, Conversations
from examples.coding_agent.settings import Options
from examples.coding_agent.streaming import converse
from fastapi import FastAPI, Path, Query, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, Field

from threadline.client import connect
from threadline.errors import LimitExceeded, SessionNotFound
from threadline.ids import uuid7

USER = "coding-agent"
Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9._:@-]{1,100}$")]


class Notebook(BaseModel):
    notebook_id: str | None = None
    session_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._:@-]{1,100}$")
    variables: dict[str, Any] = Field(default_factory=dict)
    cell_count: int | None = None


class Quick(BaseModel):
    query: str = Field(min_length=1, max_length=100_000)
    context: Notebook = Field(default_factory=Notebook)


def coding_app(url: str, options: Options | None = None) -> FastAPI:
    """The application; its sessions and its agent's worker are at the server `url`."""
    chosen = options or Options.from_environment()
    state: dict[str, Conversations] = {}

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with connect(url, token=USER, device="api") as client:
            state["conversations"] = Conversations(client, chosen)
            yield

    app = FastAPI(title="Coding agent", lifespan=lifespan)
    app.add_exception_handler(SessionNotFound, _not_found)
    app.add_exception_handler(LimitExceeded, _full)

    @app.get("/")
    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/api/agent/quick")
    async def quick(asked: Quick) -> dict[str, Any]:
        conversations = state["conversations"]
        name = asked.context.session_id or uuid7()
        async with conversations.begun(name) as session:
            run = await conversations.ask(session, asked.query, asked.context.model_dump(exclude_none=True))
            result = await run.result(ANSWER_S)
        usage = result.usage
        said = result.output or (result.error.message if result.error else "")
        return {
            "query": asked.query,
            "route": "code" if result.tool_calls else "chat",
            "messages": [{"role": "assistant", "content": said}],
            "usage": {
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
                "total_tokens": usage.total_tokens,
            },
            "session_id": name,
        }

    @app.get("/api/sessions")
    async def sessions(limit: Annotated[int, Query(ge=1, le=200)] = 50) -> dict[str, Any]:
        """How many there are, and the `limit` of them that were used last."""
        conversations = state["conversations"]
        found = await conversations.all()
        return {"active_sessions": len(found), "sessions": await conversations.newest(found[:limit])}

    @app.get("/api/sessions/{name}")
    async def info(name: Name) -> dict[str, Any]:
        conversations = state["conversations"]
        async with conversations.of(name) as session:
            return conversations.info(name, session)

    @app.get("/api/sessions/{name}/history")
    async def history(name: Name, max_turns: Annotated[int, Query(ge=1, le=1000)] = 20) -> dict[str, Any]:
        conversations = state["conversations"]
        async with conversations.of(name) as session:
            turns = conversations.turns(session)
        return {"session_id": name, "turn_count": len(turns), "history": turns[-max_turns:]}

    @app.get("/api/sessions/{name}/export", response_model=None)
    async def export(name: Name, format: str = "json") -> Any:  # noqa: A002  (the name of the API)
        async with state["conversations"].of(name) as session:
            exported = session.export(format)
        return PlainTextResponse(exported) if isinstance(exported, str) else JSONResponse(dict(exported))

    @app.post("/api/sessions/{name}/interrupt")
    async def interrupt(name: Name) -> dict[str, str]:
        async with state["conversations"].of(name) as session:
            await (await kernels.of(session.id)).interrupt()
        return {"status": "interrupt", "session_id": name}

    @app.post("/api/sessions/{name}/restart")
    async def restart(name: Name) -> dict[str, str]:
        async with state["conversations"].of(name) as session:
            await (await kernels.of(session.id)).restart()
            session.delete("variables")
            await session.saved(ANSWER_S)
        return {"status": "restart", "session_id": name}

    @app.delete("/api/sessions/{name}")
    async def clear(name: Name) -> dict[str, str]:
        await kernels.close(await state["conversations"].delete(name))
        return {"status": "cleared", "session_id": name}

    @app.websocket("/api/agent/stream")
    async def stream(socket: WebSocket) -> None:
        await socket.accept()
        try:
            async with asyncio.TaskGroup() as tasks:
                await converse(socket, state["conversations"], tasks)
        except* WebSocketDisconnect:
            pass

    return app


async def _not_found(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": "Session not found"}, HTTPStatus.NOT_FOUND)


async def _full(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, HTTPStatus.TOO_MANY_REQUESTS)

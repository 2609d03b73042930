"""An environment behind the HTTP protocol of a NeMo Gym resources server.

`POST /seed_session`, `/verify`, `/aggregate_metrics` and one path per tool; `DELETE /session` clears a
rollout. Responses are sent when what they report is durable.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, create_model
from starlette.types import ASGIApp

from threadline.agents.either import awaited
from threadline.client import connect
from threadline.environment.cookies import RolloutCall, RolloutCookies
from threadline.environment.environment import Environment, model_of
from threadline.environment.rewards import aggregate
from threadline.environment.rollouts import Rollouts
from threadline.environment.ticket import Ticket
from threadline.errors import SessionDeleted, SessionNotFound, ThreadlineError
from threadline.live_session import LiveSession
from threadline.token import TokenSource

USER = "environment"
LINGER_S = 60.0
MAX_OPEN = 320


class Verified(BaseModel):
    """The rows of one aggregation."""

    verify_responses: list[dict[str, Any]]


class _Nothing(BaseModel):
    """For methods that take no model."""

    model_config = ConfigDict(extra="ignore")


def environment_app(
    environment: Environment,
    url: str,
    *,
    token: TokenSource = USER,
    linger_s: float = LINGER_S,
    max_open: int = MAX_OPEN,
) -> ASGIApp:
    """The ASGI application; its sessions are on the Threadline server at `url`.

    Any number of processes may serve the same environment: the state is in the sessions alone. Up to
    `max_open` rollouts are open in this one; `linger_s` after their last call they are left.
    """
    server = _ResourcesServer(environment)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with connect(url, token=token, device=environment.cookie) as client:
            server.rollouts = Rollouts(client, linger_s=linger_s, max_open=max_open)
            leaving = asyncio.create_task(server.rollouts.run())
            try:
                yield
            finally:
                leaving.cancel()

    app = FastAPI(title=type(environment).__name__, lifespan=lifespan)
    server.add_routes(app)
    return RolloutCookies(app, environment.cookie)


class _ResourcesServer:
    rollouts: Rollouts

    def __init__(self, environment: Environment) -> None:
        self.environment = environment

    def add_routes(self, app: FastAPI) -> None:
        task = model_of(self.environment.verify, 1) or _Nothing
        verify = create_model(
            "VerifyRequest",
            __base__=task,
            responses_create_params=(dict[str, Any], Field()),
            response=(dict[str, Any], Field()),
        )
        app.get("/")(_status)
        app.get("/reverify_mode")(_reverify_mode)
        app.delete("/session")(self.clear)
        app.post("/aggregate_metrics")(_aggregate)
        app.post("/seed_session")(_taking(self.seed, model_of(self.environment.seed, 1) or _Nothing))
        app.post("/verify")(_taking(self.verify, verify))
        for name, method in self.environment.actions():
            app.post(f"/{name}", name=name)(self._endpoint(method))
        app.add_exception_handler(ThreadlineError, _unavailable)
        app.add_exception_handler(TimeoutError, _unavailable)

    async def seed(self, request: Request, body: Any) -> dict[str, Any]:
        async with self._begun(_call(request)) as session:
            await awaited(self.environment.seed(session, body))
        return {}

    async def verify(self, request: Request, body: Any) -> dict[str, Any]:
        call = _call(request)
        reward = 0.0
        if not call.ticket.fresh:
            try:
                async with self.rollouts.begun(call.ticket, create=False) as session:
                    reward = float(await awaited(self.environment.verify(session, body, body.response)))
                    call.ticket = _seen(call.ticket, session)
            except (SessionNotFound, SessionDeleted):
                pass  # a rollout that nobody has begun is worth nothing
        params = body.responses_create_params
        return {"responses_create_params": params, "response": body.response, "reward": reward}

    async def clear(self, request: Request) -> dict[str, str]:
        call = _call(request)
        await self.rollouts.delete(call.ticket.session)
        call.ticket = Ticket.new()
        return {"status": "cleared"}

    def _endpoint(self, method: Callable[..., Any]) -> Callable[..., Any]:
        model = model_of(method, 1)

        async def call_tool(request: Request, body: Any = None) -> Any:
            arguments = () if model is None else (body,)
            async with self._begun(_call(request)) as session:
                return await awaited(method(session, *arguments))

        if model is not None:
            return _taking(call_tool, model)

        async def call_without(request: Request) -> Any:
            return await call_tool(request)

        return call_without

    @asynccontextmanager
    async def _begun(self, call: RolloutCall) -> AsyncIterator[LiveSession]:
        """The call's rollout; where that was deleted or has expired, a new and empty one."""
        async with self._joined(call) as session:
            yield session
        call.ticket = _seen(call.ticket, session)

    @asynccontextmanager
    async def _joined(self, call: RolloutCall) -> AsyncIterator[LiveSession]:
        begun = self.rollouts.begun(call.ticket)
        try:
            session = await begun.__aenter__()
        except SessionDeleted:
            call.ticket = Ticket.new()
            begun = self.rollouts.begun(call.ticket)
            session = await begun.__aenter__()
        try:
            yield session
        except BaseException as error:
            if not await begun.__aexit__(type(error), error, error.__traceback__):
                raise
        else:
            await begun.__aexit__(None, None, None)


def _call(request: Request) -> RolloutCall:
    return cast(RolloutCall, request.state.rollout)


def _seen(ticket: Ticket, session: LiveSession) -> Ticket:
    return ticket.seen(session.document.doc.get_state())


def _taking(handler: Callable[..., Any], model: type[BaseModel]) -> Callable[..., Any]:
    """`handler(request, body)` as an endpoint whose body is validated as `model`."""

    async def endpoint(request: Request, body: Any) -> Any:
        return await handler(request, body)

    kinds = {"request": Request, "body": model}
    parameters = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=kind)
        for name, kind in kinds.items()
    ]
    setattr(endpoint, "__signature__", inspect.Signature(parameters))  # noqa: B010  (no such attribute to mypy)
    return endpoint


async def _status() -> dict[str, str]:
    return {"status": "ok"}


async def _reverify_mode() -> str:
    """A reward here comes from the live state, so an old response cannot be judged again."""
    return "unsupported"


async def _aggregate(body: Verified) -> dict[str, Any]:
    return aggregate(body.verify_responses)


async def _unavailable(request: Request, error: Exception) -> JSONResponse:
    """The state cannot be reached just now, and nothing was reported done."""
    code = getattr(error, "code", "timeout")
    return JSONResponse(
        {"detail": str(error) or type(error).__name__, "code": code}, HTTPStatus.SERVICE_UNAVAILABLE
    )

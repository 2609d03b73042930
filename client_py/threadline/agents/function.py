"""Agents that are plain functions: `(messages, context[, session])`, giving back a text or an `AgentResult`,
or yielding pieces of text.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Any

import anyio.to_thread

from threadline.agents.agent import Agent
from threadline.agents.calling import is_asynchronous
from threadline.agents.driver import DriverEvent, Handed, Said, Task, Turn
from threadline.agents.loop_session import LoopSession
from threadline.agents.response import AgentResult
from threadline.document.values import JSON
from threadline.errors import ConfigurationError
from threadline.session import Session

_END = object()


class FunctionDriver:
    """Drives an agent by one function. It gets the history as `[{"role", "content"}]`, the context as a
    dict and, where it has a third parameter or one named `session`, the session.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self._takes_session = _takes_session(function)

    async def run(self, task: Task) -> AsyncGenerator[DriverEvent, None]:
        result = await self._called(task)
        if isinstance(result, AsyncIterator):
            async for piece in result:
                yield Said(str(piece))
            return
        if isinstance(result, Iterator):
            while (piece := await anyio.to_thread.run_sync(next, result, _END)) is not _END:
                yield Said(str(piece))
            return
        if text := _text_of(result):
            yield Said(text)
        if isinstance(result, AgentResult):
            _take_over(task.session, result.session)
            yield Handed(result)

    async def _called(self, task: Task) -> Any:
        history = [_message(turn) for turn in task.turns]
        context = dict(task.context) if isinstance(task.context, dict) else {"context": task.context}

        def call(session: Session) -> Any:
            return self.function(history, context, *((session,) if self._takes_session else ()))

        if is_asynchronous(self.function):
            result = call(task.session)
            return await result if inspect.isawaitable(result) else result
        return await anyio.to_thread.run_sync(
            call, LoopSession.standing_for(task.session), abandon_on_cancel=True
        )


def as_agent(candidate: object, name: str = "") -> Agent:
    """An agent as it is; a function as an agent of its own name. Raises ConfigurationError."""
    if isinstance(candidate, Agent):
        return candidate
    if not callable(candidate):
        raise ConfigurationError(f"{candidate!r} is neither an Agent nor a function.")
    own = name or getattr(candidate, "__name__", type(candidate).__name__)
    return Agent(name=own, driver=FunctionDriver(candidate), description=inspect.getdoc(candidate) or "")


def _takes_session(function: Callable[..., Any]) -> bool:
    parameters = [p for p in inspect.signature(function).parameters.values() if p.kind is not p.KEYWORD_ONLY]
    return len(parameters) >= 3 or any(parameter.name == "session" for parameter in parameters)


def _message(turn: Turn) -> dict[str, JSON]:
    message: dict[str, JSON] = {"role": turn.role, "content": turn.content}
    return message if turn.data is None else {**message, "data": turn.data}


def _take_over(session: Session, state: dict[str, Any]) -> None:
    """Make the session's state what the function gave back, if it gave any."""
    if not state:
        return
    for key in list(session):
        if key not in state:
            session.delete(key)
    session.update(state)


def _text_of(result: Any) -> str:
    if isinstance(result, str):
        return result
    return str(getattr(result, "text", "") if result is not None else "")

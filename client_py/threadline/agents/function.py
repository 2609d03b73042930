"""Agents that are plain functions: `(messages, context[, session])`, giving back text or yielding pieces of
it.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import anyio.to_thread

from threadline.agents.agent import Agent
from threadline.agents.driver import DriverEvent, Said, Task
from threadline.agents.loop_session import LoopSession
from threadline.errors import ConfigurationError


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
        elif text := _text_of(result):
            yield Said(text)

    async def _called(self, task: Task) -> Any:
        history = [{"role": turn.role, "content": turn.content} for turn in task.turns]
        context = dict(task.context) if isinstance(task.context, dict) else {"context": task.context}
        if _is_asynchronous(self.function):
            extra = (task.session,) if self._takes_session else ()
            result = self.function(history, context, *extra)
            return await result if inspect.isawaitable(result) else result
        extra = (LoopSession.standing_for(task.session),) if self._takes_session else ()
        return await anyio.to_thread.run_sync(
            lambda: self.function(history, context, *extra), abandon_on_cancel=True
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


def _is_asynchronous(function: Callable[..., Any]) -> bool:
    called = (
        function if inspect.isfunction(function) or inspect.ismethod(function) else type(function).__call__
    )
    return inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called)


def _text_of(result: Any) -> str:
    if isinstance(result, str):
        return result
    return str(getattr(result, "text", "") if result is not None else "")

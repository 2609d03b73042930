"""Calling what agent authors wrote: coroutine functions on the loop, plain ones on a thread.

A plain function may take its time; meanwhile the session is brought back to the loop call by call.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import anyio.to_thread

from threadline.agents.loop_session import LoopSession
from threadline.session import Session


async def called_with(function: Callable[..., Any], session: Session, give: Callable[[Session], Any]) -> Any:
    """`function(give(session))`, awaited where it is asynchronous; its session is void afterwards."""
    if is_asynchronous(function):
        result = function(give(session))
        return await result if inspect.isawaitable(result) else result
    stand_in = LoopSession.standing_for(session)
    argument = give(stand_in)
    try:
        return await anyio.to_thread.run_sync(lambda: function(argument), abandon_on_cancel=True)
    finally:
        stand_in.revoke()


def is_asynchronous(function: Callable[..., Any]) -> bool:
    """Whether calling it gives a coroutine or an asynchronous iterator."""
    plain = inspect.isfunction(function) or inspect.ismethod(function) or inspect.isbuiltin(function)
    called = function if plain else type(function).__call__
    return inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called)

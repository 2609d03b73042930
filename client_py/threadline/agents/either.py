"""One call form for code with an event loop and code without.

`agent.run(...)` gives an awaitable where a loop runs, and the result itself where none does. Results are
awaitable too and give themselves, so that both forms have the one type that is written down.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from typing import Any, Generic, TypeVar, cast

from anyio.from_thread import start_blocking_portal

from threadline.ready import Ready

T = TypeVar("T")


class Reply(str, Ready):
    """What an agent says to a history: a text."""

    __slots__ = ()


def now_or_awaited(start: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The result, on a loop of its own; a coroutine for it where a loop runs already."""
    if loop_runs():
        return cast(T, start())
    return _runner().run(start())


class _Loop(threading.local):
    """One loop per thread, kept: connections to a model's provider belong to the loop that opened them."""

    runner: asyncio.Runner | None = None

    def close(self) -> None:
        runner, self.runner = self.runner, None
        if runner is not None:
            runner.close()


_loop = _Loop()
atexit.register(_loop.close)


def _runner() -> asyncio.Runner:
    if _loop.runner is None:
        _loop.runner = asyncio.Runner()
    return _loop.runner


def loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def awaited(value: T | Awaitable[T]) -> T:
    """What a function gave, which may be a coroutine function."""
    return await value if isinstance(value, Awaitable) else value


class Stream(Generic[T]):
    """Items as they come, for `async for` and for `for`. It is read once."""

    def __init__(self, start: Callable[[], AsyncIterator[T]]) -> None:
        self._start = start

    def __aiter__(self) -> AsyncIterator[T]:
        return self._start()

    def __iter__(self) -> Iterator[T]:
        """Drives a loop on a thread of its own until the end."""
        done = object()
        with start_blocking_portal() as portal:
            items = portal.call(self._start)

            async def following() -> T | object:
                return await anext(items, done)

            while (item := portal.call(following)) is not done:
                yield cast(T, item)

"""The SDK for code without an event loop: the same client, driven on a thread of its own.

There is no second client here. `Blocking` stands for any object of the SDK and hands every call to the loop's
thread: coroutines are awaited, asynchronous iterators become plain ones, and reading an attribute or an item
is done there too, because a document belongs to one thread. What comes back is plain data, or another object
of the SDK, again as `Blocking`.

    with threadline.sync.connect("http://127.0.0.1:8000", token="ada") as client:
        session = client.open("trip")
        run = session.send("Find hotels in Berlin")
        for event in run.events():
            print(event.type)
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack
from types import ModuleType, TracebackType
from typing import Any, Self

from anyio.from_thread import BlockingPortal, start_blocking_portal

_SDK = "threadline."
_PLAIN = ("threadline.errors", "threadline.actors", "threadline.ids", "threadline.protocol.")


class Blocking:
    """One object of the SDK on the loop's thread; equal to another that stands for the same object."""

    __slots__ = ("_portal", "_target")

    _portal: BlockingPortal
    _target: Any

    def __init__(self, portal: BlockingPortal, target: Any) -> None:
        object.__setattr__(self, "_portal", portal)
        object.__setattr__(self, "_target", target)

    def __getattr__(self, name: str) -> Any:
        return self._give(self._portal.call(getattr, self._target, name))

    def __setattr__(self, name: str, value: Any) -> None:
        self._portal.call(setattr, self._target, name, _bare(value))

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self._give(self._portal.call(self._called, self._target, args, options))

    def __getitem__(self, key: Any) -> Any:
        return self._give(self._portal.call(lambda: self._target[key]))

    def __setitem__(self, key: Any, value: Any) -> None:
        self._portal.call(self._target.__setitem__, key, _bare(value))

    def __delitem__(self, key: Any) -> None:
        self._portal.call(self._target.__delitem__, key)

    def __contains__(self, key: Any) -> bool:
        return bool(self._portal.call(lambda: key in self._target))

    def __len__(self) -> int:
        return self._portal.call(len, self._target)

    def __bool__(self) -> bool:
        return bool(self._portal.call(bool, self._target))

    def __iter__(self) -> Iterator[Any]:
        if hasattr(type(self._target), "__anext__"):
            return self._each(self._target)
        return iter([self._give(item) for item in self._portal.call(list, self._target)])

    def __eq__(self, other: object) -> bool:
        return self._target is other._target if isinstance(other, Blocking) else NotImplemented

    def __hash__(self) -> int:
        return id(self._target)

    def __repr__(self) -> str:
        return f"<blocking {self._portal.call(repr, self._target)}>"

    def __str__(self) -> str:
        return self._portal.call(str, self._target)

    def __dir__(self) -> list[str]:
        return self._portal.call(dir, self._target)

    async def _called(self, function: Callable[..., Any], args: Any, options: Any) -> Any:
        result = function(*map(_bare, args), **{name: _bare(value) for name, value in options.items()})
        return await result if isinstance(result, Awaitable) else result

    def _give(self, value: Any) -> Any:
        """Plain data as it is; whatever lives on the loop as `Blocking`."""
        if isinstance(value, AsyncIterator):
            return self._each(value)
        if isinstance(value, list):
            return [self._give(item) for item in value]
        return Blocking(self._portal, value) if _lives_on_the_loop(value) else value

    def _each(self, items: AsyncIterator[Any]) -> Iterator[Any]:
        done = object()

        async def following() -> Any:
            return await anext(items, done)

        while (item := self._portal.call(following)) is not done:
            yield self._give(item)


class BlockingClient(Blocking):
    """The client, and the thread that drives it until `close` or the end of the `with` block."""

    __slots__ = ("_stack",)

    _stack: ExitStack

    def __init__(self, open_client: Callable[[], Any]) -> None:
        with ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal())
            client = portal.call(open_client)
            super().__init__(portal, stack.enter_context(portal.wrap_async_context_manager(client)))
            object.__setattr__(self, "_stack", stack.pop_all())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave every session and end the thread. Idempotent."""
        self._stack.close()


def connect(url: str, **options: Any) -> BlockingClient:
    """A client of the server at `url`, with the options of `threadline.connect`, already started."""
    from threadline.client import connect as connect_async

    return BlockingClient(lambda: connect_async(url, **options))


def _bare(value: Any) -> Any:
    return value._target if isinstance(value, Blocking) else value


def _lives_on_the_loop(value: Any) -> bool:
    """Methods of the SDK's objects, and objects of its classes that are more than data."""
    if isinstance(value, type | ModuleType):
        return False
    if inspect.ismethod(value) or inspect.isfunction(value):
        return _is_sdk(value.__module__)
    return _is_sdk(type(value).__module__) and not _is_data(value)


def _is_sdk(module: str | None) -> bool:
    return module is not None and module.startswith(_SDK) and not module.startswith(_PLAIN)


def _is_data(value: Any) -> bool:
    """Frozen dataclasses, enums and named tuples hold no document."""
    parameters = getattr(type(value), "__dataclass_params__", None)
    return (parameters is not None and parameters.frozen) or isinstance(value, str | int | tuple)

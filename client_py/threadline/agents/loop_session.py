"""The session as a tool sees it that runs on a thread: every access is brought back to the event loop.

A document belongs to one thread. A plain function may take its time without holding up the loop, so it runs
on a thread of its own, and only what it reads and writes is done on the loop, one call after another.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from anyio import from_thread

from threadline.errors import SessionClosed
from threadline.session import Session
from threadline.sync import Blocking

T = TypeVar("T")

_METHODS = (
    "get",
    "set",
    "replace",
    "update",
    "delete",
    "clear",
    "has",
    "keys",
    "to_dict",
    "add_message",
    "get_history",
    "token_count",
    "export",
    "__len__",
    "__contains__",
    "__getitem__",
    "__setitem__",
    "__delitem__",
    "__repr__",
)
_VIEWS = ("messages", "runs", "counters", "context", "companion", "draft")
_VALUES = ("is_empty", "is_modified", "title")


class _Portal:
    """Calls on the loop that started this thread."""

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        return from_thread.run(_awaited, function, args)


class LoopSession(Session):
    """A `Session` for threads. Made with `standing_for`; it has no document of its own."""

    _target: Session
    _revoked: bool

    @classmethod
    def standing_for(cls, session: Session) -> LoopSession:
        stand_in = cls.__new__(cls)
        stand_in._target = session
        stand_in._revoked = False
        stand_in.id = session.id
        stand_in.user_id = session.user_id
        stand_in.device = session.device
        return stand_in

    def revoke(self) -> None:
        """The run has ended. A thread cannot be stopped, but it can no longer change anything."""
        self._revoked = True

    def _allowed(self) -> Session:
        if self._revoked:
            raise SessionClosed("The run that this tool belongs to has ended.", session_id=self.id)
        return self._target

    def items(self) -> Any:
        return iter(self.to_dict().items())

    def __iter__(self) -> Any:
        return iter(self.keys())


async def _awaited(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    result = function(*args)
    return await result if hasattr(result, "__await__") and not isinstance(result, Session) else result


def _on_loop(name: str) -> Callable[..., Any]:
    original = getattr(Session, name)

    @wraps(original)
    def call(self: LoopSession, *args: Any, **kwargs: Any) -> Any:
        return from_thread.run_sync(lambda: getattr(self._allowed(), name)(*args, **kwargs))

    return call


def _view(name: str) -> property:
    return property(lambda self: Blocking(_Portal(), getattr(self._allowed(), name)))  # type: ignore[arg-type]


def _value(name: str) -> property:
    return property(lambda self: from_thread.run_sync(lambda: getattr(self._allowed(), name)))


for _name in _METHODS:
    setattr(LoopSession, _name, _on_loop(_name))
for _name in _VIEWS:
    setattr(LoopSession, _name, _view(_name))
for _name in _VALUES:
    setattr(LoopSession, _name, _value(_name))

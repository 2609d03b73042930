"""The write rules, asked before anything is written.

A refused update ends a replica's line, so a live session asks here first; the rules are the server's own
(`threadline.document.rules`). A session without a server has no rules to keep and uses `OPEN`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from pycrdt import Map

from threadline.actors import Actor
from threadline.document.counters import Counters
from threadline.document.judgement import Content, ContentKind, Path, RuleBook
from threadline.document.state import Change, FlatState
from threadline.errors import Refused


class Guard(Protocol):
    """Both methods raise Refused with the path and the reason."""

    def write(self, path: Path, value: object = None, kind: ContentKind = ContentKind.VALUE) -> None: ...

    def delete(self, path: Path) -> None: ...


class _Open:
    """Everything is allowed: nobody else has a say in a document that is on this device alone."""

    def write(self, path: Path, value: object = None, kind: ContentKind = ContentKind.VALUE) -> None:
        return

    def delete(self, path: Path) -> None:
        return


OPEN: Guard = _Open()


class RuleGuard:
    """Asks a rule book, for the actor that the server knows this device as."""

    def __init__(self, rules: RuleBook, actor: Callable[[], Actor], client: Callable[[], int]) -> None:
        self._rules = rules
        self._actor = actor
        self._client = client

    def write(self, path: Path, value: object = None, kind: ContentKind = ContentKind.VALUE) -> None:
        content = Content(kind, value if kind is ContentKind.VALUE else None)
        reason = self._rules.judge(self._actor(), self._client(), path, content)
        if reason is not None:
            raise Refused("/".join(path), reason)

    def delete(self, path: Path) -> None:
        actor = self._actor()
        if not self._rules.may_delete(actor, path, actor.user):
            raise Refused("/".join(path), f"this is not removed by {actor.user} as {actor.role}")


class GuardedState(FlatState):
    """A `FlatState` that writes a change only when all of it is allowed."""

    def __init__(self, root: str, entries: Map[Any], guard: Guard, prefix: str = "") -> None:
        super().__init__(entries, prefix)
        self._root = root
        self._guard = guard

    def _apply(self, change: Change) -> bool:
        for key, value in change.set.items():
            self._guard.write((self._root, key), value)
        for key in change.delete:
            self._guard.delete((self._root, key))
        return super()._apply(change)


class GuardedCounters(Counters):
    """Counters that add only what is allowed, and tell how to take it back."""

    def __init__(
        self, entries: Map[Any], guard: Guard, remember: Callable[[Callable[[], bool]], None]
    ) -> None:
        super().__init__(entries)
        self._guard = guard
        self._remember = remember

    def add(self, name: str, amount: int | float = 1) -> int | float:
        """Add and give back the new value. Raises ValueError for what is not finite, and Refused."""
        total = self._add(name, amount)
        self._remember(lambda: self._add(name, -amount) is not None)
        return total

    def _add(self, name: str, amount: int | float) -> int | float:
        self._guard.write(("counters", f"{name}/{self._map.doc.client_id}"), amount)
        return super().add(name, amount)

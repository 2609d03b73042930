"""The write rules, asked before anything is written.

A refused update ends a replica's line, so a live session asks here first; the rules are the server's own
(`threadline.document.rules`). A session without a server has no rules to keep and uses `OPEN`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from threadline.actors import Actor
from threadline.document.judgement import Content, ContentKind, Path, RuleBook
from threadline.errors import Refused


class Guard(Protocol):
    """Both methods raise Refused with the path and the reason."""

    def write(self, path: Path, value: object = None, kind: ContentKind = ContentKind.VALUE) -> None: ...

    def delete(self, path: Path, owner: str = "") -> None: ...


class _Open:
    """Everything is allowed: nobody else has a say in a document that is on this device alone."""

    def write(self, path: Path, value: object = None, kind: ContentKind = ContentKind.VALUE) -> None:
        return

    def delete(self, path: Path, owner: str = "") -> None:
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
            raise Refused(_shown(path), reason)

    def delete(self, path: Path, owner: str = "") -> None:
        if not self._rules.may_delete(self._actor(), path, owner):
            raise Refused(_shown(path), f"{self._actor().user} may not remove this")


def _shown(path: Path) -> str:
    return "/".join(path)

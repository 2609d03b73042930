"""Somebody whose updates a room judges: a member's seat, or a replica inside the process."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Protocol

from threadline.actors import Actor
from threadline.protocol.close_codes import CloseCode


class Contributor(Hashable, Protocol):
    """Compared by identity. The room calls these on the event loop; none of them may raise."""

    @property
    def actor(self) -> Actor: ...

    def settle(self, *, whole: bool, gap: bool) -> int:
        """How many acknowledgements a message is worth; with a `gap`, something before it is missing."""

    def acknowledge(self, count: int) -> None:
        """`count` of its messages are durable."""

    def decline(self, *, whole: bool) -> bool:
        """A message of it was refused. True: it has been told, and takes part on; False: this ends it."""

    def end(self, close: CloseCode, detail: str = "") -> None:
        """It takes part no longer; the room has forgotten it already."""

    def hold(self, held: bool) -> None:
        """Stop, or go on, taking updates from it: the store is behind."""


class Witness:
    """A contributor that is a replica inside the process, and sees every turn."""

    __slots__ = ()

    @property
    def actor(self) -> Actor:
        raise NotImplementedError

    def settle(self, *, whole: bool, gap: bool) -> int:
        return 0 if gap else 1

    def acknowledge(self, count: int) -> None:
        raise NotImplementedError

    def decline(self, *, whole: bool) -> bool:
        return False

    def end(self, close: CloseCode, detail: str = "") -> None:
        raise NotImplementedError

    def hold(self, held: bool) -> None:
        raise NotImplementedError

    def feed(self, updates: Sequence[bytes]) -> None:
        """What others added in one turn, in log order."""
        raise NotImplementedError

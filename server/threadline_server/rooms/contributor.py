"""Somebody whose updates a room judges: a member's seat, or a replica inside the process."""

from __future__ import annotations

from threadline.actors import Actor
from threadline.protocol.close_codes import CloseCode


class Contributor:
    """Compared by identity. The room calls these on the event loop; none of them may raise."""

    __slots__ = ()

    @property
    def actor(self) -> Actor:
        raise NotImplementedError

    def acknowledge(self, count: int) -> None:
        """`count` of its updates are durable."""
        raise NotImplementedError

    def end(self, close: CloseCode, detail: str = "") -> None:
        """It takes part no longer; the room has forgotten it already."""
        raise NotImplementedError

    def hold(self, held: bool) -> None:
        """Stop, or go on, taking updates from it: the store is behind."""
        raise NotImplementedError

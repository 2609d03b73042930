"""The order of the log at one room.

A turn of this node is announced twice, when the log has taken it and by following the log; turns of other
nodes come by following. The position decides: each turn is given back once, when it is next.
"""

from __future__ import annotations

from collections.abc import Iterator

from threadline_server.backplane.base import LoggedTurn, Position


class TooFarAhead(Exception):
    """More turns wait for an earlier one than are kept."""


class Arrivals:
    __slots__ = ("_early", "_max_early", "position")

    def __init__(self, position: Position, max_early: int) -> None:
        self.position = position
        self._max_early = max_early
        self._early: dict[int, LoggedTurn] | None = None

    def is_next(self, logged: LoggedTurn) -> bool:
        """Whether it is the only turn that is next now, and `position` its then; otherwise `offer` it."""
        if self._early or logged.position != self.position + 1:
            return False
        self.position = logged.position
        return True

    def offer(self, logged: LoggedTurn) -> Iterator[LoggedTurn]:
        """The turns that are next now. `position` is the last one given back. Raises TooFarAhead."""
        if logged.position <= self.position:
            return
        if logged.position > self.position + 1:
            self._keep(logged)
            return
        self.position = logged.position
        yield logged
        while self._early:
            following = self._early.pop(self.position + 1, None)
            if following is None:
                return
            self.position = following.position
            yield following

    def _keep(self, logged: LoggedTurn) -> None:
        if self._early is None:
            self._early = {}
        if len(self._early) >= self._max_early:
            raise TooFarAhead(f"{len(self._early)} turns wait for position {self.position + 1}")
        self._early[logged.position] = logged

    def skip_to(self, position: Position) -> list[LoggedTurn]:
        """The room was loaded anew up to `position`; gives back turns that had come early and are in it."""
        self.position = position
        early = self._early or {}
        self._early = {at: turn for at, turn in early.items() if at > position}
        return [early[at] for at in sorted(early) if at <= position]

"""Ordered and gap-free from a live feed that may lose: the reader's half of every backplane's `follow`.

A follower takes turns as they are announced. One that comes too early shows a hole: the follower keeps it and
reads the log from where it stands, until that meets what it kept. Only while a turn of its own node is on its
way does it not read: that turn may fill the hole.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from threadline_server.backplane.base import DocumentName, LoggedTurn, Position, Turn

READ_LIMIT = 500
MAX_EARLY = 64

LogReader = Callable[[DocumentName, Position, int], Awaitable[tuple[tuple[LoggedTurn, ...], Position]]]
"""Turns after a position, and the position up to which the log may have been trimmed."""


def _never(document: DocumentName) -> bool:
    return False


class Follower:
    """One subscription of one document's log.

    position:  of the last turn that was delivered
    seen:      the fingerprint of that turn, which itself may be large; None before the first, and where none
               is taken
    announced: the newest position that is known to exist; 0 while unknown
    repairing: the log is being read; announcements only move `announced`
    was_lost:  it ended because the log no longer had what comes next
    """

    __slots__ = (
        "_again",
        "_early",
        "_expects",
        "_fingerprint",
        "_on_close",
        "_on_deleted",
        "_on_lost",
        "_on_turn",
        "_repair",
        "announced",
        "closed",
        "document",
        "position",
        "repairing",
        "seen",
        "was_lost",
    )

    def __init__(
        self,
        document: DocumentName,
        after: Position,
        on_turn: Callable[[LoggedTurn], None],
        on_deleted: Callable[[], None],
        on_lost: Callable[[], None] | None,
        *,
        repair: Callable[[Follower], None],
        on_close: Callable[[Follower], None],
        expects: Callable[[DocumentName], bool] = _never,
        fingerprint: Callable[[Turn], int] | None = None,
    ) -> None:
        self.document = document
        self.position = after
        self.seen: int | None = None
        self.announced = Position(0)
        self.repairing = False
        self.closed = False
        self.was_lost = False
        self._again = False
        self._early: dict[Position, LoggedTurn] = {}
        self._on_turn = on_turn
        self._on_deleted = on_deleted
        self._on_lost = on_lost
        self._repair = repair
        self._on_close = on_close
        self._expects = expects
        self._fingerprint = fingerprint

    def offer(self, turn: LoggedTurn) -> None:
        """A turn from the live feed: deliver it when it is next, read the log when it is not."""
        if turn.position > self.announced:
            self.announced = turn.position
        if self.closed:
            return
        if turn.position == self.position + 1 and not self.repairing:
            self._deliver(turn)
            self._deliver_early()
        elif turn.position > self.position:
            self._keep_early(turn)

    def _keep_early(self, turn: LoggedTurn) -> None:
        if len(self._early) < MAX_EARLY:
            self._early[turn.position] = turn
            if self._expects(self.document):
                return
        if not self.repairing:
            self.catch_up()

    def _deliver_early(self) -> None:
        while self._early and not self.closed:
            turn = self._early.pop(Position(self.position + 1), None)
            if turn is None:
                break
            self._deliver(turn)
        if self._early:
            self._early = {at: turn for at, turn in self._early.items() if at > self.position}

    def announce(self, position: Position) -> None:
        """The log has a turn at `position`."""
        if position > self.announced:
            self.announced = position
        if position > self.position and not self.repairing and not self._expects(self.document):
            self.catch_up()

    def settle(self) -> None:
        """Nothing of this node is on its way any more: a hole that is there now does not fill by itself."""
        if self.announced > self.position and not self.repairing:
            self.catch_up()

    def catch_up(self) -> None:
        """Read the log from here; where that is under way, once more after it."""
        self._again = True
        if not self.repairing and not self.closed:
            self.repairing = True
            self._repair(self)

    def _deliver(self, turn: LoggedTurn) -> None:
        self.position = turn.position
        if self._fingerprint is not None:
            self.seen = self._fingerprint(turn.turn)
        self._on_turn(turn)

    async def repair(self, read: LogReader) -> None:
        """Deliver what the log has; ends live. Whatever `read` raises leaves the follower repairing."""
        while not self.closed:
            self._again = False
            announced = self.announced
            turns, trimmed = await read(self.document, self.position, READ_LIMIT)
            if not self._deliver_read(turns, trimmed):
                return
            self._deliver_early()
            if self._is_through(len(turns), announced):
                break
        self.repairing = False

    def _is_through(self, got: int, announced_before: Position) -> bool:
        """Whether nothing is missing any more, or what is missing is not in the log, or comes by itself.

        Without the last a node that writes without pause would read each of its own turns.
        """
        if self._again or got == READ_LIMIT:
            return False
        if self.announced <= self.position or self._expects(self.document):
            return True
        return got == 0 and self.announced == announced_before

    def _deliver_read(self, turns: tuple[LoggedTurn, ...], trimmed: Position) -> bool:
        for turn in turns:
            if self.closed:
                return False
            if turn.position <= self.position:
                continue
            if turn.position != self.position + 1:
                self.lose()
                return False
            self._deliver(turn)
        if not turns and trimmed > self.position:
            self.lose()
            return False
        return True

    def lose(self) -> None:
        """The log no longer has what comes next, or has something that is not what was written."""
        if not self.closed:
            self.was_lost = True
            self.close()
            if self._on_lost is not None:
                self._on_lost()

    def delete(self) -> None:
        """The session is gone."""
        if not self.closed:
            self.close()
            self._on_deleted()

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._early.clear()
            self._on_close(self)

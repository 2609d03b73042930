"""Ordered and gap-free from a live feed that may lose: the reader's half of every backplane's `follow`.

A follower takes turns as they are announced. One that comes too early shows a hole: the follower then reads
the log from where it stands until it has caught up, and ignores what is announced meanwhile, since that is in
the log too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from threadline_server.backplane.base import DocumentName, LoggedTurn, Position

READ_LIMIT = 500

LogReader = Callable[[DocumentName, Position, int], Awaitable[tuple[tuple[LoggedTurn, ...], Position]]]
"""Turns after a position, and the position up to which the log may have been trimmed."""


class Follower:
    """One subscription of one document's log.

    position:  the last turn that was delivered
    announced: the newest turn that is known to exist; 0 while unknown
    repairing: the log is being read; announcements only move `announced`
    """

    __slots__ = (
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
    ) -> None:
        self.document = document
        self.position = after
        self.announced = Position(0)
        self.repairing = False
        self.closed = False
        self._on_turn = on_turn
        self._on_deleted = on_deleted
        self._on_lost = on_lost
        self._repair = repair
        self._on_close = on_close

    def offer(self, turn: LoggedTurn) -> None:
        """A turn from the live feed: deliver it when it is next, read the log when it is not."""
        if turn.position > self.announced:
            self.announced = turn.position
        if self.repairing or self.closed:
            return
        if turn.position == self.position + 1:
            self._deliver(turn)
        elif turn.position > self.position:
            self.catch_up()

    def catch_up(self) -> None:
        """Read the log from here, unless that is under way."""
        if not self.repairing and not self.closed:
            self.repairing = True
            self._repair(self)

    def _deliver(self, turn: LoggedTurn) -> None:
        self.position = turn.position
        self._on_turn(turn)

    async def repair(self, read: LogReader) -> None:
        """Deliver what the log has; ends live. Whatever `read` raises leaves the follower repairing."""
        while not self.closed:
            turns, trimmed = await read(self.document, self.position, READ_LIMIT)
            if not self._deliver_read(turns, trimmed):
                return
            if len(turns) < READ_LIMIT and self.announced <= self.position:
                break
            if not turns:
                break
        self.repairing = False

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
        """The log no longer has what comes next."""
        if not self.closed:
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
            self._on_close(self)

"""The way of a turn into the log, on the loop: waiting, given a place, written to the journal, told.

    waiting -> (its head is being read) -> (it is put down) -> in hand -> taken -> durable
            -> refused

What has a place stays *in hand*, in order, until the journal has it, however often that fails. Nothing here
waits: when the disk fails, the loop goes on and `drain` is called again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVarTuple

from mypy_extensions import mypyc_attr

from threadline.ids import SessionId
from threadline_server.backplane.base import (
    Append,
    AppendRefused,
    Damaged,
    DocumentName,
    LoggedTurn,
    Position,
    WrongLineage,
)
from threadline_server.backplane.embedded.heads import Head, Heads
from threadline_server.backplane.embedded.journal import Journal, Written
from threadline_server.backplane.embedded.large_turns import LARGE_BYTES, PutDown, hash_of
from threadline_server.backplane.embedded.leases import Leases
from threadline_server.backplane.embedded.mover import Mover
from threadline_server.backplane.embedded.schema import row_of
from threadline_server.backplane.embedded.syncer import Waiting
from threadline_server.backplane.feeds import Feeds

RETRY_S = 0.25
MAX_TURNS_PER_COMMIT = 512
MAX_BYTES_PER_COMMIT = 4 * 1024 * 1024
MAX_UNSYNCED = 50_000

Args = TypeVarTuple("Args")


@dataclass(slots=True)
class Counts:
    """Since the start."""

    taken: int = 0
    durable: int = 0
    refused: int = 0
    repeated: int = 0
    commits: int = 0
    bytes: int = 0
    failures: int = 0


@mypyc_attr(acyclic=True)
class Placed:
    """A turn with a position that the journal does not have yet."""

    __slots__ = ("append", "head", "position", "turn")

    def __init__(self, append: Append, head: Head, position: int, turn: bytes) -> None:
        self.append: Append = append
        self.head: Head = head
        self.position: int = position
        self.turn: bytes = turn


class Appender:
    """counts:   what happened since the start
    active:   last activity of sessions, until somebody takes it out
    error:    why the last write failed; None once one succeeded

    `fetch_head` is asked where a document's head is not in memory, or has no number yet.
    """

    def __init__(
        self,
        journal: Journal,
        mover: Mover,
        *,
        heads: Heads,
        leases: Leases,
        feeds: Feeds,
        make_durable: Callable[[Sequence[Waiting], bool], None],
        fetch_head: Callable[[DocumentName], None],
        put_down: Callable[[Append], None],
        drop: Callable[[int], None],
    ) -> None:
        self.counts = Counts()
        self.active: dict[SessionId, int] = {}
        self.error: Exception | None = None
        self._journal = journal
        self._mover = mover
        self._heads = heads
        self._leases = leases
        self._feeds = feeds
        self._make_durable = make_durable
        self._fetch_head = fetch_head
        self._put_down = put_down
        self._drop = drop
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Append] = deque()
        self._headless: dict[DocumentName, list[Append]] = {}
        self._putting: dict[DocumentName, list[Append]] = {}  # the first is put down, the others wait for it
        self._down: dict[Append, PutDown] = {}
        self._in_hand: list[Placed] = []
        self._unsynced = 0
        self._draining = False
        self._retry: asyncio.TimerHandle | None = None

    @property
    def pending(self) -> int:
        """Turns that are not taken yet."""
        held = sum(map(len, self._headless.values())) + sum(map(len, self._putting.values()))
        return len(self._waiting) + len(self._in_hand) + held

    def append(self, appends: Sequence[Append]) -> None:
        self._waiting.extend(appends)
        self.drain()

    def drain(self) -> None:
        """Take what waits, as far as that is possible now."""
        if self._draining or self._retry is not None:
            return
        self._draining = True
        try:
            while self._next_batch():
                if not self._take():
                    return
        finally:
            self._draining = False

    def _next_batch(self) -> bool:
        if not self._in_hand and self._unsynced < MAX_UNSYNCED and not self._mover.full:
            self._place_waiting()
        return bool(self._in_hand)

    def _place_waiting(self) -> None:
        self._heads.trim()
        size = 0
        while self._waiting and len(self._in_hand) < MAX_TURNS_PER_COMMIT and size < MAX_BYTES_PER_COMMIT:
            append = self._waiting.popleft()
            if self._putting and append.document in self._putting:
                self._putting[append.document].append(append)
                continue
            head = self._heads.get(append.document)
            if head is None or head.id == 0:
                self._wait_for_head(append)
            elif _is_large(append) and append not in self._down:
                self._putting[append.document] = [append]
                self._put_down(append)
            elif not self._place(append, head):
                return
            elif self._in_hand:
                size += len(self._in_hand[-1].turn)

    def _wait_for_head(self, append: Append) -> None:
        waiting = self._headless.get(append.document)
        if waiting is not None:
            waiting.append(append)
            return
        self._headless[append.document] = [append]
        self._fetch_head(append.document)

    def _place(self, append: Append, head: Head) -> bool:
        """Give `append` a place, or its refusal; False when it has to wait until this batch is written."""
        down = self._down.get(append) if self._down else None
        turn = head.encode(append.stored) if down is None else down.reference
        turn_hash = hash_of(turn) if down is None else down.turn_hash
        refusal = self._leases.check(append.fence) or head.refusal(append)
        repeated = head.repeats(turn_hash)
        if repeated is not None and not isinstance(refusal, WrongLineage):
            return self._repeat(append, head, repeated)
        if refusal is not None:
            self._refuse(append, refusal)
            return True
        self._in_hand.append(Placed(append, head, head.take(append, turn_hash), turn))
        return True

    def _repeat(self, append: Append, head: Head, position: Position) -> bool:
        """A turn that the log ends with already: a retry, which succeeds again."""
        if any(placed.head is head for placed in self._in_hand):
            self._waiting.appendleft(append)
            return False
        self._let_go(append)
        self.counts.repeated += 1
        self._unsynced += 1
        self._tell(append.on_taken, append, position)
        self._make_durable([self._journal.nothing([append])], append.awaited)
        return True

    def _refuse(self, append: Append, refusal: AppendRefused) -> None:
        self._let_go(append)
        self.counts.refused += 1
        self._tell(append.on_refused, append, refusal)

    def _let_go(self, append: Append) -> None:
        """Of its parts, if it has some: it gets no place."""
        down = self._down.pop(append, None) if self._down else None
        if down is not None:
            self._drop(down.number)

    def _take(self) -> bool:
        taken = self._in_hand
        rows = [(row_of(placed.head.id, placed.position), placed.turn) for placed in taken]
        try:
            written = self._journal.write(rows, [placed.append for placed in taken])
        except OSError as error:
            self._fail(error)
            return False
        self._in_hand = []
        self.error = None
        for placed, row in zip(taken, rows, strict=True):
            self._mover.add(placed.head.document, row)
        self._announce(taken, written)
        return True

    def _announce(self, taken: Sequence[Placed], written: Written) -> None:
        self._unsynced += len(taken)
        self.counts.commits += 1
        self.counts.taken += len(taken)
        try:
            for placed in taken:
                self._announce_one(placed)
        finally:
            # Last, because the thread that syncs would wait for the loop's hold of the interpreter meanwhile,
            # and its looking whether that is free takes time from what is sent to the members.
            self._make_durable([written], any(placed.append.awaited for placed in taken))

    def _announce_one(self, placed: Placed) -> None:
        append = placed.append
        position = Position(placed.position)
        down = self._down.pop(append, None) if self._down else None
        self.counts.bytes += len(placed.turn) if down is None else down.size
        if append.turn.entries:
            self.active[placed.head.session.id] = append.turn.entries[-1].at_ms
        try:
            append.on_taken(append, position)
        except Exception as error:  # noqa: BLE001
            self._report(error)
        try:
            self._feeds.deliver(append.document, LoggedTurn(position, append.stored))
        except Exception as error:  # noqa: BLE001
            self._report(error)
        append.shed()

    def _tell(self, callback: Callable[[*Args], None], *args: *Args) -> None:
        """Call back; what a callback raises is its owner's fault and stops nobody else's turn."""
        try:
            callback(*args)
        except Exception as error:  # noqa: BLE001
            self._report(error)

    def _report(self, error: Exception) -> None:
        self._loop.call_exception_handler({"message": "A backplane callback failed", "exception": error})

    def durable(self, group: Sequence[Waiting]) -> None:
        """The syncer is through with `group`."""
        for waiting in group:
            if isinstance(waiting, asyncio.Future):
                if not waiting.done():
                    waiting.set_result(None)
                continue
            for append in waiting.appends:
                self._is_durable(append)
        if self._waiting:
            self.drain()

    def _is_durable(self, append: Append) -> None:
        self._unsynced -= 1
        self.counts.durable += 1
        try:
            append.on_durable(append)
        except Exception as error:  # noqa: BLE001
            self._report(error)

    def _fail(self, error: OSError) -> None:
        self.error = error
        self.counts.failures += 1
        self._try_again()

    def _try_again(self) -> None:
        if self._retry is None:
            self._retry = self._loop.call_later(RETRY_S, self._after_pause)

    def _after_pause(self) -> None:
        self._retry = None
        self._drop_deleted()
        self.drain()

    def _drop_deleted(self) -> None:
        placed, self._in_hand = self._in_hand, []
        for turn in placed:
            if turn.head.session.deleted:
                self._refuse(turn.append, WrongLineage(f"{turn.head.document} was deleted."))
            else:
                self._in_hand.append(turn)

    def head_found(self, document: DocumentName) -> None:
        """What waited for this head can go on."""
        self._waiting.extendleft(reversed(self._headless.pop(document, [])))
        self.drain()

    def is_down(self, append: Append, down: PutDown) -> None:
        """The store has all parts of it: it can have its place, and what waited for it after it."""
        self._down[append] = down
        self._waiting.extendleft(reversed(self._putting.pop(append.document)))
        self.drain()

    def head_missing(self, document: DocumentName) -> None:
        """There is no such session (any more)."""
        for append in self._headless.pop(document, []):
            self._refuse(append, WrongLineage(f"{document} belongs to no session."))

    def head_damaged(self, document: DocumentName, error: Damaged) -> None:
        """What is stored of it cannot be read; the room will find that out when it loads again."""
        for append in self._headless.pop(document, []):
            self._refuse(append, AppendRefused(error.message))

    def stop(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None


def _is_large(append: Append) -> bool:
    size = 0
    for entry in append.turn.entries:
        size += len(entry.update)
    return size >= LARGE_BYTES

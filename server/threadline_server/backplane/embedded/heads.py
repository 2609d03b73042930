"""Where each log ends: the state against which an append is checked, kept in memory for documents in use."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from threadline.ids import SessionId
from threadline_server.backplane.base import (
    Append,
    AppendRefused,
    ClockRange,
    DocumentName,
    Position,
    StaleRange,
    Turn,
    WrongLineage,
)
from threadline_server.backplane.turn_bytes import TurnEncoder

MAX_HEADS = 20_000


@dataclass(slots=True)
class SessionState:
    """What all documents of one session share."""

    id: SessionId
    lineage: str
    deleted: bool = False


@dataclass(slots=True, eq=False)
class Head:
    """The end of one document's log.

    id:       the document's number in the store; 0 until its first append
    position: of the last turn that was given a place, committed or about to be
    clocks:   per client id, where the next struct must begin
    last:     hash and position of the last turn, to know a retry by
    encoder:  made with the first turn
    used:     since somebody looked which heads to forget
    """

    document: DocumentName
    session: SessionState
    id: int
    position: int
    clocks: dict[int, int]
    last: tuple[int, int] = field(default=(0, 0))
    encoder: TurnEncoder | None = None
    used: bool = True

    def encode(self, turn: Turn) -> bytes:
        if self.encoder is None:
            self.encoder = TurnEncoder(self.document)
        return self.encoder.encode(turn)

    def repeats(self, turn_hash: int) -> Position | None:
        """The position of the last turn when it is this one again."""
        return Position(self.last[1]) if self.last[1] and self.last[0] == turn_hash else None

    def refusal(self, append: Append) -> AppendRefused | None:
        """Why `append` does not fit here. Fences are not judged here."""
        if self.session.deleted or append.lineage != self.session.lineage:
            return WrongLineage(f"Session {self.session.id} is not the one this was written for.")
        stale = self._stale(append)
        if stale is None:
            return None
        end = self.clocks.get(stale.client, 0)
        return StaleRange(f"{self.document}: client {stale.client} continues at {end}, not {stale.start}.")

    def _stale(self, append: Append) -> ClockRange | None:
        entries = append.turn.entries
        clocks = self.clocks
        if len(entries) == 1 and len(entries[0].ranges) == 1:
            only = entries[0].ranges[0]
            return only if clocks.get(only.client, 0) != only.start else None
        ends: dict[int, int] = {}
        for entry in entries:
            for span in entry.ranges:
                if ends.get(span.client, clocks.get(span.client, 0)) != span.start:
                    return span
                ends[span.client] = span.end
        return None

    def take(self, append: Append, turn_hash: int) -> int:
        """Give `append`, which is not refused, the next position."""
        for entry in append.turn.entries:
            for span in entry.ranges:
                self.clocks[span.client] = span.end
        self.position += 1
        self.last = (turn_hash, self.position)
        return self.position


class Heads:
    """The heads of documents used lately. One that was forgotten is read from the store again.

    Which to forget is found by going around: the first that was not used since it was last looked at.
    """

    def __init__(self, limit: int = MAX_HEADS) -> None:
        self._limit = limit
        self._heads: OrderedDict[DocumentName, Head] = OrderedDict()
        self._sessions: dict[SessionId, SessionState] = {}

    def __len__(self) -> int:
        return len(self._heads)

    def get(self, document: DocumentName) -> Head | None:
        head = self._heads.get(document)
        if head is not None:
            head.used = True
        return head

    def add(self, head: Head) -> Head:
        """Keep `head` unless one is there, which is newer; the one that is kept."""
        known = self._heads.get(head.document)
        if known is not None:
            return known
        head.session = self._sessions.setdefault(head.session.id, head.session)
        self._heads[head.document] = head
        return head

    def trim(self) -> None:
        """Forget what is over the limit. Only while no append is between its place and its commit."""
        heads = self._heads
        while len(heads) > self._limit:
            document, head = heads.popitem(last=False)
            if head.used:
                head.used = False
                heads[document] = head
        if len(self._sessions) > 2 * self._limit:
            self._sessions = {head.session.id: head.session for head in self._heads.values()}

    def mark_deleted(self, session: SessionId) -> None:
        """Refuse every append to the session from now on."""
        state = self._sessions.get(session)
        if state is not None:
            state.deleted = True

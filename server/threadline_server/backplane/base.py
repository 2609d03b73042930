"""The backplane contract: what lasts, and what other nodes see.

A backplane keeps, per document, an append-only *log* of turns with positions 1, 2, 3, ... (no gaps), a *base*
(snapshot up to a position), and beside them the catalogue, client-id claims, leases, decisions, run hints and
blobs. A document is a session (`trip`) or a user's companion in it (`trip~ada`); both are named by
`DocumentName`, and whatever concerns a session as a whole (lease, deletion, catalogue) is named by its
`SessionId`.

Rules that every backplane keeps (the contract suite in `tests/contract` proves them):

* `append` is conditional on clock ranges: a turn that does not start where the log's own clocks end is
  refused whole (`StaleRange`), as is one with an old lineage or an old fence. A retry of the same turn is
  recognised.
* A turn is *taken* when it survives `kill -9` of this process, then *durable* in the sense the backplane
  states. `on_taken` is always called before `on_durable`; each exactly once, in position order per document,
  on the loop.
* `follow` gives every turn after a position once, in order, whoever appended it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NewType, Protocol

from mypy_extensions import mypyc_attr

from threadline.errors import StoreError
from threadline.ids import SessionId

DocumentName = NewType("DocumentName", str)
Position = NewType("Position", int)
NodeId = NewType("NodeId", str)

# Four classes here are values that nobody changes. They are not frozen, and say how they are made, because a
# frozen dataclass takes three times as long to make, and the hot path makes some of each in every turn. Being
# acyclic, they are not looked at by the cycle collector where they are compiled.


class Durability(StrEnum):
    """What an acknowledgement means. Told to devices in the hello."""

    FSYNC = "fsync"  # survives power loss
    PROCESS = "process"  # survives any crash of our processes; power loss may cost the last second
    NONE = "none"  # asked for by the operator, by name


@mypyc_attr(acyclic=True)
@dataclass(init=False, slots=True, unsafe_hash=True)
class ClockRange:
    """Clocks `start` (inclusive) to `end` (exclusive) of one client id, all new to the log."""

    client: int
    start: int
    end: int

    def __init__(self, client: int, start: int, end: int) -> None:
        self.client = client
        self.start = start
        self.end = end


@mypyc_attr(acyclic=True)
@dataclass(init=False, slots=True, unsafe_hash=True)
class Entry:
    """What one actor added in one turn. `update` is Yjs v1 bytes that passed the gate."""

    user: str
    role: str
    ranges: tuple[ClockRange, ...]
    update: bytes
    at_ms: int

    def __init__(
        self, user: str, role: str, ranges: tuple[ClockRange, ...], update: bytes, at_ms: int
    ) -> None:
        self.user = user
        self.role = role
        self.ranges = ranges
        self.update = update
        self.at_ms = at_ms


@mypyc_attr(acyclic=True)
@dataclass(init=False, slots=True, unsafe_hash=True)
class Turn:
    """One flush of one document: entries in the order they were integrated, by one node in one load of the
    room.
    """

    node: NodeId
    epoch: str
    entries: tuple[Entry, ...]

    def __init__(self, node: NodeId, epoch: str, entries: tuple[Entry, ...]) -> None:
        self.node = node
        self.epoch = epoch
        self.entries = entries


@mypyc_attr(acyclic=True)
@dataclass(init=False, slots=True, unsafe_hash=True)
class LoggedTurn:
    position: Position
    turn: Turn

    def __init__(self, position: Position, turn: Turn) -> None:
        self.position = position
        self.turn = turn


@dataclass(frozen=True, slots=True)
class Fence:
    """Proof of a lease: an append with a fence lower than the newest granted one is refused."""

    session: SessionId
    token: int


class AppendRefused(StoreError):
    code = "append_refused"


class StaleRange(AppendRefused):
    """Another node extended one of these client ids first; the room must reload."""

    code = "stale_range"


class StaleFence(AppendRefused):
    """The lease under which this was written was lost; whoever wrote it must stop."""

    code = "stale_fence"


class WrongLineage(AppendRefused):
    """The document was deleted, or deleted and made again."""

    code = "wrong_lineage"


class Damaged(StoreError):
    """What is stored is not what was written. It stays so: restore it from a backup, or delete it."""

    code = "damaged"


class BlobNotFound(StoreError):
    """The session has no such blob."""

    code = "blob_not_found"


SHED: Final = Turn(NodeId(""), "", ())
"""Stands for a turn that is not needed any more."""

UNAWAITED_DELAY_S = 0.05
"""How long the durability of turns may wait for more while nobody waits to be told (see `Append.awaited`)."""


@mypyc_attr(acyclic=True)
class Append:
    """One turn on its way into the log, with what to call as it gets there (on the event loop, must not
    raise).

    Exactly one of these sequences happens: taken then durable; or refused. A store that is away delays; it
    never refuses for being away. Whoever has it lets go of it then, so it need not be looked for in cycles.

    `stored` is what a store keeps and passes on: `turn`, or that sealed. Once it was taken and passed on, a
    store may `shed` both.
    """

    __slots__ = ("document", "fence", "lineage", "on_durable", "on_refused", "on_taken", "stored", "turn")

    def __init__(
        self,
        document: DocumentName,
        lineage: str,
        turn: Turn,
        on_taken: Callable[[Append, Position], None],
        on_durable: Callable[[Append], None],
        on_refused: Callable[[Append, AppendRefused], None],
        fence: Fence | None = None,
    ) -> None:
        self.document: DocumentName = document
        self.lineage: str = lineage
        self.turn: Turn = turn
        self.stored: Turn = turn
        self.on_taken: Callable[[Append, Position], None] = on_taken
        self.on_durable: Callable[[Append], None] = on_durable
        self.on_refused: Callable[[Append, AppendRefused], None] = on_refused
        self.fence: Fence | None = fence

    def shed(self) -> None:
        """What was written need not be kept until it is durable: thousands of turns a second are a megabyte
        by then, in memory that was in the caches when they were made.
        """
        self.turn = self.stored = SHED

    @property
    def awaited(self) -> bool:
        """Somebody waits to be told that it is durable; where nobody does, that may take a little longer."""
        return True


@dataclass(frozen=True, slots=True)
class Stored:
    """A document as the store has it: `base` covers positions up to `base_position`, `tail` the rest."""

    lineage: str
    base: bytes | None
    index: bytes | None
    base_position: Position
    tail: tuple[LoggedTurn, ...]

    @property
    def position(self) -> Position:
        return self.tail[-1].position if self.tail else self.base_position

    def updates(self, through: Position | None = None) -> list[bytes]:
        """The base and what came after it, up to a position or all; `through` is not before the base."""
        base = [] if self.base is None else [self.base]
        turns = [logged.turn for logged in self.tail if through is None or logged.position <= through]
        return base + [entry.update for turn in turns for entry in turn.entries]


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One row of the catalogue. Times are Unix milliseconds."""

    id: SessionId
    lineage: str
    owner: str
    created_ms: int
    active_ms: int
    title: str = ""
    agent: str = ""
    status: str = ""
    parent: str = ""
    labels: tuple[str, ...] = ()
    members: dict[str, str] = field(default_factory=dict)  # user -> granted role


@dataclass(frozen=True, slots=True)
class SessionQuery:
    """Filters are joined by `and`; `visible_to` limits to sessions a user owns or was granted."""

    visible_to: str | None = None
    user: str | None = None
    agent: str | None = None
    status: str | None = None
    label: str | None = None
    parent: str | None = None
    active_after_ms: int | None = None
    active_before_ms: int | None = None
    text: str | None = None
    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class SessionPage:
    """Newest activity first. `cursor` is None on the last page, opaque otherwise."""

    sessions: tuple[SessionRecord, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Lease:
    fence: Fence
    holder: str
    expires_ms: int


@dataclass(frozen=True, slots=True)
class RunHint:
    """`session` may have intents or runs that nobody works on. Only a hint: duplicates and losses are
    allowed.
    """

    session: SessionId
    agent: str = ""


class Following(Protocol):
    """A live subscription of one document's log; `close` is idempotent."""

    def close(self) -> None: ...


class Backplane(Protocol):
    durability: Durability
    node: NodeId

    async def open(self) -> None:
        """Get ready to serve. Raises StoreBusy, StoreError or ConfigurationError with the fix in words."""

    async def close(self) -> None:
        """Make everything taken durable, then let go."""

    @property
    def healthy(self) -> bool:
        """False while the store is away or failing; appends wait meanwhile."""

    def stats(self) -> dict[str, float]: ...

    # the catalogue
    async def create_session(self, record: SessionRecord) -> SessionRecord:
        """Create, or give back the one that is there (then its lineage differs from the one offered).

        Raises SessionDeleted where a tombstone holds the id.
        """

    async def get_session(self, session: SessionId) -> SessionRecord:
        """Raises SessionNotFound or SessionDeleted."""

    async def update_session(self, session: SessionId, **changes: object) -> SessionRecord:
        """Change fields of the record (not id, lineage, created_ms); `members` is merged, None removes a
        user.
        """

    async def list_sessions(self, query: SessionQuery) -> SessionPage: ...

    async def delete_session(self, session: SessionId) -> None:
        """Log, base, companions, blobs, lease, decisions go; a tombstone stays. Idempotent.

        Every node's followers of the session see `on_deleted`.
        """

    # the log
    async def load(self, document: DocumentName) -> Stored:
        """Raises SessionNotFound, SessionDeleted, StoreError, or Damaged for what is not what was written. An
        empty document has lineage and no tail.
        """

    async def read(
        self, document: DocumentName, after: Position, limit: int = 1000
    ) -> tuple[LoggedTurn, ...]:
        """Turns after a position that are still in the log."""

    def is_head(self, document: DocumentName, position: Position) -> bool:
        """Nothing follows `position`, as far as that is certain without asking; False where only the store
        knows.
        """

    def append(self, appends: Sequence[Append]) -> None:
        """Take one turn of each document, several documents in one write. Never blocks, never raises.

        The caller keeps at most one unfinished *take* per document in flight, except that it may hand over
        the next turn of a document before the former one is durable. `on_taken` and `on_refused` may be
        called before this returns. A document's session becomes active in the catalogue with it, some seconds
        later.
        """

    def follow(
        self,
        document: DocumentName,
        after: Position,
        on_turn: Callable[[LoggedTurn], None],
        on_deleted: Callable[[], None],
        on_lost: Callable[[], None] | None = None,
    ) -> Following:
        """Call `on_turn` for every turn after `after`, in order, those appended here included (after
        `on_taken`).

        `on_lost` ends the following: turns after `after` were trimmed from the log before this follower got
        them (it was away for longer than the log is kept); whoever follows must load the document again.
        """

    async def compact(
        self, document: DocumentName, lineage: str, base: bytes, index: bytes, through: Position
    ) -> None:
        """Replace the base by one that covers `through`, then trim the log up to it. Safe to crash
        anywhere.
        """

    # between nodes, not kept
    def publish(self, document: DocumentName, payload: bytes) -> None:
        """Send awareness or a hint to the other nodes that listen to this document, not to this one. May be
        lost.
        """

    def listen(self, document: DocumentName, on_payload: Callable[[bytes], None]) -> Following: ...

    # leases and decisions
    async def acquire_lease(self, session: SessionId, holder: str, ttl_ms: int) -> Lease | None:
        """The lease with a fence higher than any before, or None while another holder's is unexpired."""

    async def renew_lease(self, lease: Lease, ttl_ms: int) -> Lease | None:
        """None when it was lost."""

    async def release_lease(self, lease: Lease) -> None: ...

    async def decide(self, session: SessionId, key: str, value: str, fence: Fence | None = None) -> str:
        """Compare-and-set against nothing: the first value stored under `key` wins and is returned to
        everyone.
        """

    async def list_decisions(self, session: SessionId) -> dict[str, str]:
        """Every decision by its key. Raises SessionNotFound, SessionDeleted."""

    # the ledger: small values beside sessions, by kind and key (keys, invitations, revocations)
    async def get_value(self, kind: str, key: str) -> bytes | None:
        """None when there is none, or its time is over. `kind` is made of a-z and `_`."""

    async def list_values(self, kind: str) -> dict[str, bytes]:
        """Every value of a kind that is still valid; what is not is removed."""

    async def list_lives(self, kind: str) -> dict[str, int]:
        """How many milliseconds each valid value of a kind still lasts, by key; 0 for ever."""

    async def swap_value(
        self, kind: str, key: str, old: bytes | None, new: bytes | None, ttl_ms: int = 0
    ) -> bool:
        """Compare-and-set: when `old` is there now (None: nothing), store `new` (None: nothing) durably.

        False when something else is there. `ttl_ms` bounds the life of the new value, 0 does not.
        """

    # run hints
    async def hint(self, hint: RunHint) -> None: ...

    def hints(self) -> AsyncIterator[RunHint]:
        """Hints for this process, for as long as it iterates."""

    # blobs
    async def put_blob(self, session: SessionId, blob: str, data: bytes) -> None: ...

    async def get_blob(self, session: SessionId, blob: str) -> bytes:
        """Raises BlobNotFound."""

    # upkeep
    async def list_documents(self, session: SessionId) -> tuple[DocumentName, ...]: ...

    def tombstones(self) -> AsyncIterator[tuple[SessionId, str]]:
        """Every deleted session with its lineage, in no order. Walks the whole store."""

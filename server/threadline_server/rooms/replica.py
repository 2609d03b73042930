"""The document of a room as the log has it: exactly the turns up to one position, never more.

It holds the extension's own document, not `pycrdt.Doc` (0.6 KB instead of 1.9 KB, and a transaction in 0.5 us
instead of 1.2 us); `document()` wraps it for the typed views.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any, Final

from pycrdt import Doc
from pycrdt._pycrdt import Doc as RawDoc

from threadline.protocol.sync import EMPTY_UPDATE
from threadline.protocol.varint import Reader
from threadline_server.backplane.base import Damaged
from threadline_server.rooms.state_vector import clamp, decode_state_vector, encode_state_vector

_PANIC: Final = "PanicException"
"""pyo3's own exception, which derives from BaseException and cannot be imported."""


_OF_ONE_TRANSACTION: Final = 64
"""Updates of one transaction. At its end the library puts together what follows each other in it, which costs
it the square of their number where they are values of a list: 0.8 s for 5,000, and 5 ms in parts.
"""

MOST_AT_ONCE: Final = 16
_MUCH_AHEAD: Final = 16_384
"""Updates that wait to be integrated together, and their bytes. One by itself takes twice as long: each
transaction begins and ends with the state vector, and is gone over for what now follows each other.
"""

_AT_ONCE_NS: Final = 500_000

_MANY_RECENT: Final = 1_000
_MANY_AT_FIRST: Final = 64
"""Updates that may follow an encoding, and that may stand for one that was never made."""

_MANY_TIMES: Final = 4
"""An encoding that is dear is let go of when so many times its bytes follow it, and no new one was made."""

_KEPT_SWEEPS: Final = 4
"""Rounds that an unused encoding is kept: encoding 10,000 messages takes some 20 ms, loading them gave it for
free.
"""

_DEAR_BYTES: Final = 1 << 20
"""An encoding of so many bytes is kept as long as it is of use: everybody on the node would wait while one
is made anew for somebody who comes with nothing.
"""


def size_of(updates: Sequence[bytes]) -> int:
    """In bytes."""
    size = 0
    for update in updates:
        size += len(update)
    return size


def replica_of(data: bytes) -> Replica:
    """What a child process was given: updates, each after its length. Raises as `Replica.integrate`."""
    reader = Reader(data)
    replica = Replica()
    while reader.remaining:
        replica.integrate([reader.read_bytes(len(data))])
    return replica


class ReplicaBroken(Damaged):
    """The document library failed at an update that the log holds."""

    code = "replica_broken"


@dataclass(frozen=True, slots=True)
class Difference:
    """What a peer lacks, in order: an encoding, then updates that came after it was made.

    `whole` says that it is the whole document, for a peer that has nothing.
    """

    step2: bytes
    updates: tuple[bytes, ...] = ()
    whole: bool = False

    @property
    def parts(self) -> tuple[bytes, ...]:
        """All of it."""
        return (self.step2, *self.updates)


class Replica:
    """at_once: updates that may be integrated together; of those that take long, fewer. One at the end of a
    text of a megabyte takes 0.2 ms.
    """

    __slots__ = (
        "_ahead",
        "_ahead_bytes",
        "_broken",
        "_clocks",
        "_complete",
        "_level",
        "_noted",
        "_passed",
        "_raw",
        "_recent",
        "_recent_bytes",
        "_since",
        "_state_vector",
        "_unused",
        "at_once",
    )

    _complete: bytes | None  # the encoding an empty replica gets; `_recent` follows it
    _since: list[bytes] | None  # what came since somebody began to make an encoding elsewhere
    _level: bytes | None  # the update for a peer with our state vector: the deletions
    _state_vector: bytes | None
    _clocks: dict[int, int] | None

    def __init__(self) -> None:
        self.at_once: int = MOST_AT_ONCE
        self._raw = RawDoc(None, None, None)
        self._ahead: list[bytes] = []  # what was put off
        self._ahead_bytes: int = 0
        self._broken: ReplicaBroken | None = None
        self._recent: list[bytes] = []
        self._recent_bytes = 0
        self._noted: int = 0
        self._passed: list[bytes] = []  # what came before `_recent`, for a while
        self._unused = 0
        self._complete = EMPTY_UPDATE
        self._level = self._state_vector = self._clocks = self._since = None

    def document(self) -> Doc[Any]:
        """A view of what is here now, for reading. Writing to it would bypass the gate and the log. Raises
        ReplicaBroken.
        """
        self.settle()
        return Doc(doc=self._raw)

    def hold(self, encoding: bytes) -> None:
        """All of what is here, which is then what an empty replica will be given."""
        self._forget()
        self._complete = encoding

    def integrate(self, updates: Sequence[bytes], recent_limit: int = 0) -> None:
        """Apply updates in order. Raises ReplicaBroken; the replica is of no use after that."""
        self.settle()
        if len(updates) <= _OF_ONE_TRANSACTION:
            self._apply(updates)
        else:
            for first in range(0, len(updates), _OF_ONE_TRANSACTION):
                self._apply(updates[first : first + _OF_ONE_TRANSACTION])
        self._state_vector = self._level = self._clocks = None
        self.note(updates, recent_limit)

    def put_off(self, updates: Sequence[bytes], recent_limit: int = 0) -> None:
        """Integrate them when there are more, or before somebody looks; `ReplicaBroken` is raised then."""
        self._ahead.extend(updates)
        self._ahead_bytes += size_of(updates)
        self._state_vector = self._level = self._clocks = None
        self.note(updates, recent_limit)
        if len(self._ahead) >= self.at_once or self._ahead_bytes >= _MUCH_AHEAD:
            self.settle()

    def settle(self) -> None:
        """Integrate what was put off. Raises ReplicaBroken, again each time."""
        if self._broken is not None:
            raise self._broken
        if self._ahead:
            self._apply(self._ahead)
            self._ahead = []
            self._ahead_bytes = 0

    def integrate_some(self, updates: Sequence[bytes]) -> None:
        """Apply some of what is to be noted with `note` when all of it was. Raises as `integrate`."""
        self.settle()
        self._apply(updates)
        self._state_vector = self._level = self._clocks = None

    def note(self, updates: Sequence[bytes], recent_limit: int = 0) -> None:
        """These were integrated part by part."""
        self._noted += len(updates)
        if self._since is not None:
            self._since.extend(updates)
        if self._complete is not None:
            self._remember(updates, recent_limit)

    def _apply(self, updates: Sequence[bytes]) -> None:
        """In one transaction."""
        began_ns = perf_counter_ns()
        transaction = self._raw.create_transaction()
        try:
            for update in updates:
                self._raw.apply_update(transaction, update)
            transaction.commit()
        except ValueError as error:
            self._broken = ReplicaBroken(f"An update of the log could not be read: {error}")
            raise self._broken from error
        except BaseException as error:
            if type(error).__name__ != _PANIC:
                raise
            self._broken = ReplicaBroken("An update of the log made the document library fail.")
            raise self._broken from error
        finally:
            transaction.drop()
        self._learn(len(updates), perf_counter_ns() - began_ns)

    def _learn(self, count: int, took_ns: int) -> None:
        """By half at a time, since other programs run too."""
        fit = count * _AT_ONCE_NS // max(1, took_ns)
        self.at_once = min(MOST_AT_ONCE, max(1, fit, self.at_once // 2))

    def _remember(self, updates: Sequence[bytes], limit: int) -> None:
        self._recent.extend(updates)
        self._recent_bytes += size_of(updates)
        if self._is_much(limit):
            self._forget()
            self._since = None

    def _is_much(self, limit: int) -> bool:
        """An encoding is of use until what follows it is more than a new one would be, or so many updates
        that a device would take longer. One that is dear is kept until the next, which is soon on its way,
        but not for ever.
        """
        assert self._complete is not None
        size = max(limit, len(self._complete))
        if self._dear or self._since is not None:
            return self._recent_bytes > _MANY_TIMES * size
        many = _MANY_AT_FIRST if self._complete is EMPTY_UPDATE else _MANY_RECENT
        return self._recent_bytes > 2 * size or len(self._recent) > many

    @property
    def _dear(self) -> bool:
        """Large, as far as one knows: what many updates make together may be small."""
        if self._complete is EMPTY_UPDATE:
            return self._recent_bytes >= _DEAR_BYTES
        return self._complete is not None and len(self._complete) >= _DEAR_BYTES

    def begin_encoding(self) -> None:
        """Somebody makes an encoding of what is here now, to be taken with `take_encoding`."""
        self._since = []

    def take_encoding(self, encoding: bytes | None, recent_limit: int) -> None:
        """The encoding that was begun, for who comes with nothing; None when it failed."""
        since, self._since = self._since, None
        if encoding is not None and since is not None:
            passed = self._recent[: len(self._recent) - len(since)]
            self.hold(encoding)
            self._recent = since
            self._passed = passed
            self._recent_bytes = size_of(since)
        if self._complete is not None and self._is_much(recent_limit):
            self._forget()

    def kept(self) -> tuple[bytes, ...] | None:
        """All that it was made of, where that is kept for who comes with nothing."""
        return None if self._complete is None else (self._complete, *self._recent)

    def _forget(self) -> None:
        self._complete = None
        self._recent = []
        self._passed = []
        self._recent_bytes = 0

    def drop_unused(self) -> None:
        """Let go of encodings that nobody asked for in the last few calls, unless they are dear."""
        self._unused += 1
        self._passed = []
        if self._unused < _KEPT_SWEEPS:
            return
        self._level = self._clocks = None
        if not self._dear:
            self._forget()

    def encode(self) -> bytes:
        """The whole document as one update. It is kept for a while, for who comes with nothing."""
        encoded = self.update_from(b"\x00")
        self.hold(encoded)
        return encoded

    def state_vector(self) -> bytes:
        """Raises ReplicaBroken."""
        if self._state_vector is None:
            self.settle()
            transaction = self._raw.create_transaction()
            try:
                self._state_vector = self._raw.get_state(transaction)
            finally:
                transaction.drop()
        return self._state_vector

    def clocks(self) -> dict[int, int]:
        """Client id -> next clock. Not to be changed."""
        if self._clocks is None:
            self._clocks = decode_state_vector(self.state_vector())
        return self._clocks

    def difference(self, state_vector: bytes) -> Difference:
        """What a peer with `state_vector` lacks. Raises MalformedFrame; the vector may come from a device.

        Deletions leave no trace in a state vector, so a peer at the same level still gets them.
        """
        self._unused = 0
        if state_vector == self.state_vector():
            return Difference(self._deletions())
        theirs = decode_state_vector(state_vector)
        ours = self.clocks()
        if theirs == ours:
            return Difference(self._deletions())
        known = clamp(theirs, ours)
        if not known:
            return self._everything()
        return Difference(self.update_from(encode_state_vector(known)))

    @property
    def mark(self) -> int:
        """Where a peer stands that has all of this, for `missed`."""
        return self._noted

    def missed(self, mark: int, state_vector: bytes) -> Difference:
        """As `difference`, for a peer that had all of this at `mark`, with `state_vector` then.

        To find out what a large document has more takes the library as long as the document is long.
        """
        count = self._noted - mark
        known = len(self._passed) + len(self._recent)
        if not self._dear or not 0 <= count <= known:
            return self.difference(state_vector)
        self._unused = 0
        missed = [*self._passed, *self._recent][known - count :]
        return Difference(missed[0], tuple(missed[1:])) if missed else Difference(EMPTY_UPDATE)

    def _deletions(self) -> bytes:
        if self._level is None:
            self._level = self.update_from(self.state_vector())
        return self._level

    def _everything(self) -> Difference:
        if self._complete is None:
            self.encode()
        complete, recent = self._complete, list(self._recent)
        assert complete is not None
        if complete is EMPTY_UPDATE and recent:
            complete = recent.pop(0)
        return Difference(complete, tuple(recent), whole=True)

    def update_from(self, state_vector: bytes) -> bytes:
        """Raises ReplicaBroken."""
        self.settle()
        transaction = self._raw.create_transaction()
        try:
            return self._raw.get_update(transaction, state_vector)
        except BaseException as error:
            if type(error).__name__ != _PANIC:
                raise
            raise ReplicaBroken("The document library failed to encode a session.") from error
        finally:
            transaction.drop()

    @property
    def encoded(self) -> bool:
        """Whether an empty peer would get an encoding that was made before."""
        return self._complete is not None

    @property
    def empty(self) -> bool:
        return self.state_vector() == b"\x00" and self._deletions() == EMPTY_UPDATE

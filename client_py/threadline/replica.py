"""A document as this device holds it, fed only with what is next.

pycrdt must not see everything that arrives: an update whose dependencies are missing is dropped here and
asked for again with a step 1, so nothing is ever pending.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from pycrdt import Doc, TransactionEvent

from threadline.errors import ProtocolError
from threadline.ids import ClientId, new_client_id
from threadline.update_ranges import UpdateRanges, read_ranges, read_state_vector

EMPTY_UPDATE = b"\x00\x00"

_PANIC = "PanicException"
"""pyo3's own exception, which derives from BaseException and cannot be imported."""


class Replica:
    """One `pycrdt.Doc`, its clocks, and who wants to know of changes.

    `on_local` gets each update made here, `on_update` every update, whoever made it; both are called inside
    the transaction's commit and must not touch the document. `client_id` belongs to this process alone: a
    replica that is loaded again writes under a new one, because a crash may have lost clocks already sent.
    """

    def __init__(self, *, client_id: int | None = None) -> None:
        self.doc: Doc[Any] = Doc(client_id=new_client_id() if client_id is None else client_id)
        self.clocks: dict[int, int] = {}
        self.on_local: Callable[[bytes], None] = _ignore
        self.on_update: Callable[[bytes], None] = _ignore
        self._feeding = False
        self._subscription = self.doc.observe(_weakly(self._observed))

    @property
    def client_id(self) -> ClientId:
        return ClientId(self.doc.client_id)

    @property
    def own_clock(self) -> int:
        """How many units this replica has written under its own client id."""
        return self.clocks.get(self.doc.client_id, 0)

    def state_vector(self) -> bytes:
        return self.doc.get_state()

    def difference(self, state_vector: bytes) -> bytes:
        """What a peer with this state vector lacks, with the whole delete set. Raises ProtocolError."""
        read_state_vector(state_vector)
        return self.doc.get_update(state_vector)

    def everything(self) -> bytes:
        return self.doc.get_update()

    def feed(self, update: bytes) -> bool:
        """Apply `update` if it is next. False: something before it is missing and it was not applied."""
        ranges = read_ranges(update)
        if not ranges.fits(self.clocks):
            return False
        self._apply(update)
        self._advance(ranges)
        return True

    def feed_whole(self, update: bytes) -> None:
        """Apply a step 2, or a stored copy: complete by construction for this replica's state vector."""
        self._apply(update)
        self.clocks = read_state_vector(self.doc.get_state())

    def _apply(self, update: bytes) -> None:
        self._feeding = True
        try:
            self.doc.apply_update(update)
        except ValueError as error:
            raise ProtocolError(f"An update could not be read: {error}") from error
        except BaseException as error:
            if type(error).__name__ != _PANIC:
                raise
            raise ProtocolError("An update made the document library fail.") from error
        finally:
            self._feeding = False

    def _observed(self, event: TransactionEvent) -> None:
        update = event.update
        if update == EMPTY_UPDATE:
            return
        self.on_update(update)
        if not self._feeding:
            self._advance(read_ranges(update))
            self.on_local(update)

    def _advance(self, ranges: UpdateRanges) -> None:
        for client, (_, end) in ranges.adds.items():
            self.clocks[client] = max(end, self.clocks.get(client, 0))


def _weakly(observer: Callable[[TransactionEvent], None]) -> Callable[[TransactionEvent], None]:
    """`observer` without what it belongs to: the collector does not see a cycle that runs through Rust."""
    found = weakref.WeakMethod(observer)

    def observe(event: TransactionEvent) -> None:
        still_there = found()
        if still_there is not None:
            still_there(event)

    return observe


def _ignore(update: bytes) -> None:
    """Nobody is listening."""

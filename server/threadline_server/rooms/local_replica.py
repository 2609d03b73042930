"""A member inside the process: a replica of its own, whose edits pass the same gate as a device's.

Runs and the HTTP API work through it. Its document is a `pycrdt.Doc` like any other; whatever is written to
it, in one transaction or many, is judged and drafted as the transaction commits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pycrdt import Doc, Subscription, TransactionEvent

from threadline.actors import Actor
from threadline.changed import Changed
from threadline.errors import (
    LimitExceeded,
    ProtocolError,
    Refused,
    ReplicaRejected,
    SessionClosed,
    ThreadlineError,
)
from threadline.protocol.awareness import AwarenessEntry, State, encode_awareness
from threadline.protocol.close_codes import REPLICA_REJECTED, CloseCode
from threadline.protocol.sync import EMPTY_UPDATE
from threadline_server.backplane.base import DocumentName, Fence
from threadline_server.rooms.contributor import Witness
from threadline_server.rooms.room import Room

_ORIGIN = "room"
_MAX_SLOTS = 64


class LocalReplica(Witness):
    """doc:      this replica's document; edit it in `edit()` to hear of a refusal at once
    fence:    goes with everything it writes, for who holds a lease
    changes:  notified after every turn of others, every acknowledgement, and the end
    ended:    why it takes part no longer, None while it does

    Raised by `edit` and `saved`: Refused by a write rule (this replica has then diverged and is at its end),
    ReplicaRejected, SessionClosed.
    """

    __slots__ = (
        "_actor",
        "_clock",
        "_editing",
        "_feeding",
        "_held",
        "_listeners",
        "_missed",
        "_observation",
        "_room",
        "_saved",
        "_sent",
        "changes",
        "client_id",
        "doc",
        "ended",
        "fence",
    )

    def __init__(self, room: Room, actor: Actor, client_id: int, fence: Fence | None = None) -> None:
        self._room = room
        self._actor = actor
        self.client_id = client_id
        self.fence = fence
        self.changes = Changed()
        self.ended: ThreadlineError | None = None
        self.doc: Doc[Any] = Doc(client_id=client_id)
        self._listeners: tuple[Callable[[], None], ...] = ()
        self._missed: list[bytes] = []
        self._sent = self._saved = self._clock = 0
        self._feeding = self._editing = self._held = False
        difference = room.attach(self)
        self._apply([difference.step2, *difference.updates])
        self._observation: Subscription | None = self.doc.observe(self._observed)

    @property
    def actor(self) -> Actor:
        return self._actor

    @property
    def document(self) -> DocumentName:
        return self._room.name

    @property
    def lineage(self) -> str:
        return self._room.lineage

    @contextmanager
    def edit(self) -> Iterator[Doc[Any]]:
        """One transaction, judged at its end; do not await inside. Raises as the class says."""
        self._check()
        self._editing = True
        try:
            with self.doc.transaction():
                yield self.doc
        finally:
            self._editing = False
            missed, self._missed = self._missed, []
            if missed:
                self.feed(missed)
        self._check()

    async def saved(self) -> None:
        """Until everything written so far is durable."""
        sent = self._sent
        await self.changes.until(lambda: self._saved >= sent or self.ended is not None)
        if self._saved < sent:
            self._check()

    async def ready(self) -> None:
        """Until the store keeps up; who writes a lot asks between its writes."""
        await self.changes.until(lambda: not self._held or self.ended is not None)
        self._check()

    def subscribe(self, on_change: Callable[[], None]) -> Callable[[], None]:
        """Call `on_change` after every turn of others and at the end; what is given back stops that."""
        self._listeners = (*self._listeners, on_change)
        return lambda: self._unsubscribe(on_change)

    def announce(self, state: State | None) -> None:
        """Presence of this replica; it has to be repeated within its expiry. None: gone."""
        self._check()
        self._clock += 1
        entry = AwarenessEntry(self.client_id, self._clock, state)
        self._room.announce(self, encode_awareness([entry]))

    def leave(self) -> None:
        """Take part no longer; what was written goes on its way. Idempotent."""
        self._room.detach(self)
        if self._observation is not None:
            # An observed document and its observer hold each other where the garbage collector cannot see it.
            self.doc.unobserve(self._observation)
            self._observation = None
        if self.ended is None:
            self.ended = SessionClosed("this replica was left", session_id=self.document)
        self._notify()

    # what the room calls

    def feed(self, updates: Sequence[bytes]) -> None:
        if self._editing:
            self._missed.extend(updates)
        elif updates:
            self._apply(updates)
            self._notify()

    def acknowledge(self, count: int) -> None:
        self._saved += count
        self.changes.notify()

    def hold(self, held: bool) -> None:
        self._held = held
        self.changes.notify()

    def end(self, close: CloseCode, detail: str = "") -> None:
        if self.ended is None:
            self.ended = self._reason(close, detail)
        self._notify()

    def _reason(self, close: CloseCode, detail: str) -> ThreadlineError:
        if close is REPLICA_REJECTED:
            return ReplicaRejected(self.document, detail or close.sentence)
        return SessionClosed(detail or close.sentence, session_id=self.document, code=close.name)

    def _apply(self, updates: Sequence[bytes]) -> None:
        self._feeding = True
        try:
            with self.doc.transaction(origin=_ORIGIN):
                for update in updates:
                    self.doc.apply_update(update)
        finally:
            self._feeding = False

    def _observed(self, event: TransactionEvent) -> None:
        """Called inside a commit, where nothing may be raised and the document not be touched."""
        if self._feeding or self.ended is not None:
            return
        update = event.update
        if update == EMPTY_UPDATE:
            return
        self._sent += 1
        try:
            self._room.take_from(self, update, self.fence)
        except (Refused, ProtocolError, LimitExceeded) as error:
            self.ended = error
            self._room.detach(self)

    def _check(self) -> None:
        if self.ended is not None:
            raise self.ended

    def _notify(self) -> None:
        self.changes.notify()
        for listener in self._listeners:
            listener()

    def _unsubscribe(self, on_change: Callable[[], None]) -> None:
        self._listeners = tuple([other for other in self._listeners if other is not on_change])


def free_client(room: Room, actor: Actor) -> int:
    """A client id for `actor` in this room: the same ones again and again, so that they stay few.

    One is free when nobody here writes under it and the log has taken all that was written.
    """
    used = {witness.client_id for witness in room.witnesses if isinstance(witness, LocalReplica)}
    for slot in range(_MAX_SLOTS):
        client = _client(room, actor, slot)
        if client not in used and room.is_level(client, actor.user):
            return client
    raise LimitExceeded(f"{actor.user} has {_MAX_SLOTS} replicas of {room.name} in this process")


def _client(room: Room, actor: Actor, slot: int) -> int:
    name = f"{room.host.backplane.node}\n{room.name}\n{actor.user}\n{slot}"
    return int.from_bytes(hashlib.blake2s(name.encode(), digest_size=4).digest(), "big") or 1

"""The way of updates through one room: judged, drafted, taken by the log, applied in its order, durable.

The gate is ahead of the replica by what the log has not taken; the replica is the log up to `position`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter_ns
from typing import Final, TypeAlias

from threadline.actors import Actor
from threadline.errors import ProtocolError, StoreError
from threadline.ids import SERVER_USER, split_document_name
from threadline.protocol.sync import EMPTY_UPDATE
from threadline_server.backplane.base import (
    Append,
    AppendRefused,
    DocumentName,
    Entry,
    Fence,
    LoggedTurn,
    Position,
    Turn,
)
from threadline_server.rooms.arrivals import Arrivals, TooFarAhead
from threadline_server.rooms.contributor import Contributor
from threadline_server.rooms.draft import Outgoing
from threadline_server.rooms.hearing import Hearing, Reserved
from threadline_server.rooms.host import Host
from threadline_server.rooms.integration import Integration
from threadline_server.rooms.loading import Loaded
from threadline_server.rooms.replica import size_of
from threadline_server.rooms.stamper import Stamper
from threadline_server.rooms.tail import Tail
from threadline_server.rooms.turns import FOR_EVER
from threadline_server.rooms.update_writer import Parts
from threadline_server.rooms.verdict import Verdict

_BYTES_OF_A_TURN: Final = 512
"""A turn takes a load as long as so many bytes of a base, however small it is."""


def tail_weight(turns: int, size: int) -> int:
    """What a load makes of a tail, in bytes of a base that takes as long."""
    return size + turns * _BYTES_OF_A_TURN


class LogOwner:
    """Who is told what happens in the log: the room, or nobody any more once that is closed."""

    __slots__ = ()

    def mark_dirty(self) -> None:
        """There is something to flush."""

    def forward(self, updates: Sequence[bytes], senders: Sequence[Contributor | None] | None) -> None:
        """The log has taken a turn: its updates and who sent each, None when they came from another node."""

    def log_refused(self, error: AppendRefused) -> None:
        """The log refused a turn; the gate is ahead of it for good."""

    def log_failed(self, error: Exception) -> None:
        """The log cannot be applied; nothing here is of use after that."""

    def eased(self) -> None:
        """Less is not durable than before."""


_Calls: TypeAlias = tuple[
    Callable[[Append, Position], None], Callable[[Append], None], Callable[[Append, AppendRefused], None]
]


class RoomLog:
    """position:                how far the replica is along the log
    gate_position:          how far the gate was read from the log; what this node added since, it admitted
    tail_turns, tail_bytes: the log since its base, which has `base_bytes`
    new:                    nothing was ever written; the first turn begins with what the server writes
    reserved:               whose a client id is that has not written yet
    integration:            a large turn that the replica has in part, None otherwise
    untrusted:              turns that the gate is not to see for now, None while it sees all
    """

    __slots__ = (
        "_calls",
        "_due",
        "_owner",
        "arrivals",
        "base_bytes",
        "epoch",
        "gate",
        "gate_position",
        "host",
        "integration",
        "lineage",
        "name",
        "new",
        "replica",
        "reserved",
        "stamper",
        "tail",
        "tail_bytes",
        "tail_turns",
        "untrusted",
    )

    def __init__(
        self,
        host: Host,
        name: DocumentName,
        epoch: str,
        loaded: Loaded,
        owner: LogOwner,
    ) -> None:
        self.host = host
        self.name = name
        self.epoch = epoch
        self._owner: LogOwner = owner
        self.reserved: Reserved | None = None
        self.untrusted: list[LoggedTurn] | None = None
        self.tail = Tail()
        self.integration: Integration | None = None
        self._due: list[LoggedTurn] = []
        self._calls: _Calls | None = None  # made once, with the first turn: each costs as much as an entry
        self.arrivals = Arrivals(loaded.position, host.options.max_early_turns)
        self.lineage = loaded.lineage
        self.replica = loaded.replica
        self.use(loaded)

    def use(self, loaded: Loaded) -> None:
        """Judge by what was loaded; the replica stays."""
        self.gate = loaded.gate
        self.new = loaded.position == 0 and split_document_name(self.name)[1] is None
        self.gate_position = loaded.position
        self.base_bytes = loaded.base_bytes
        self.tail_turns = loaded.tail_turns
        self.tail_bytes = loaded.tail_bytes
        self.stamper = Stamper(self.host.backplane.node, self.name, loaded.highest_seq)

    def replace(self, loaded: Loaded) -> None:
        """Start over from what was loaded, which is ahead of the replica."""
        self.replica = loaded.replica
        passed = [*self._due, *self.arrivals.skip_to(loaded.position)]
        if self.integration is not None:
            passed.insert(0, self.integration.turn)
            self.integration = None
        self._due.clear()
        for logged in passed:
            if logged.turn.epoch == self.epoch:
                self.tail.applied()

    def release(self) -> None:
        """The room is closed, and nothing is on its way: let go of it. They hold each other, and would wait
        for the cycle collector to come by, with the document, which may be after hours.
        """
        self._owner = LogOwner()
        self._calls = None
        self.tail = Tail()  # what could not be applied, or not yet, leads back here
        self.integration = None
        self._due.clear()

    @property
    def position(self) -> Position:
        return self.arrivals.position

    @property
    def settled(self) -> bool:
        """The log has taken everything and the replica has it: gate and replica hold the same."""
        return self.tail.settled and not self.applying and self.untrusted is None

    @property
    def applying(self) -> bool:
        """The replica is not yet where `position` says."""
        return self.integration is not None or bool(self._due)

    @property
    def is_long(self) -> bool:
        """The tail asks for a new base, which is made in one piece: of a large document not before the tail
        weighs as much, so that all bases together cost what the last one does.
        """
        options = self.host.options
        if self.tail_turns < options.compact_turns and self.tail_bytes < options.compact_bytes:
            return False
        return tail_weight(self.tail_turns, self.tail_bytes) >= self.base_bytes

    # into the log

    def contribute(
        self,
        contributor: Contributor,
        actor: Actor,
        update: bytes,
        *,
        whole: bool = False,
        fence: Fence | None = None,
    ) -> bool:
        """Put what is new in `update` into the turn; gives back whether something before it is missing.

        Raises Refused or a ProtocolError, with nothing changed. Nothing is awaited from judging to drafting.
        """
        if update == EMPTY_UPDATE:
            return False
        verdict = self.gate.admit(update, actor, whole=whole, reserved=self.reserved)
        return self.accept(verdict, actor, contributor, fence)

    def hear(self, update: bytes, actor: Actor, *, whole: bool) -> Hearing:
        """The hearing of what may be large; nothing else may be brought to the gate until it is over. Raises
        a ProtocolError.
        """
        return Hearing(self.gate, update, actor, whole=whole, reserved=self.reserved)

    def accept(self, verdict: Verdict, actor: Actor, contributor: Contributor, fence: Fence | None) -> bool:
        """Put into the turn what the gate has let through just now; gives back what `contribute` does."""
        counts = self.host.counts
        if verdict.update is not None:
            self._draft(verdict, actor, contributor, fence)
            counts.updates += 1
            counts.bytes += len(verdict.update)
        elif not verdict.gap:
            counts.known += 1
        counts.gaps += verdict.gap
        return verdict.gap

    def _draft(self, verdict: Verdict, actor: Actor, contributor: Contributor, fence: Fence | None) -> None:
        assert verdict.update is not None
        if self.new:
            self.new = False
            self.tail.add(self.stamper.beginning(self.gate, self.host.now_ms()), None, fence)
        if verdict.text_at:
            self.tail.type(verdict, contributor, actor, fence, self.host.now_ms)
        else:
            now_ms = self.host.now_ms()
            entry = Entry(actor.user, str(actor.role), verdict.ranges, verdict.update, now_ms)
            self.tail.add(entry, contributor, fence, verdict.created, verdict.parts)
            stamp = self.stamper.stamp(self.gate, verdict, now_ms) if verdict.created else None
            if stamp is not None:
                self.tail.add(stamp, None, fence)
        self._owner.mark_dirty()

    def next_append(self) -> Outgoing | None:
        """The next turn for the log, when nothing before it is on its way."""
        if not self.tail.ready:
            return None
        draft = self.tail.next_draft()
        turn = Turn(self.host.backplane.node, self.epoch, tuple(draft.entries))
        if self._calls is None:
            self._calls = (self._taken, self._durable, self._refused)
        outgoing = Outgoing(self.name, self.lineage, turn, *self._calls, draft)
        self.tail.send(outgoing)
        return outgoing

    # what the log says

    def _taken(self, append: Append, position: Position) -> None:
        assert isinstance(append, Outgoing)
        append.taken = True
        taken_s = self.host.now_s() if append.handed_s else 0.0
        if append.trace is not None:
            append.trace.taken(append)
        self.tail.taken()
        self.arrive(LoggedTurn(position, append.turn))
        if taken_s:  # noted when the members have it: in a quiet room that is 2 % of what they wait
            self.host.timings.append_seconds.observe(taken_s - append.handed_s)
        if append.trace is not None:
            append.trace.forwarded()
        if self.tail.ready:
            self._owner.mark_dirty()

    def _durable(self, append: Append) -> None:
        assert isinstance(append, Outgoing)
        self.tail.synced(append)
        acknowledgements = append.draft.acknowledgements
        if acknowledgements is not None:
            for contributor, count in acknowledgements.items():
                contributor.acknowledge(count)
        if append.handed_s:
            self.host.timings.acknowledge_seconds.observe(self.host.now_s() - append.handed_s)
            if append.trace is not None:
                append.trace.durable()
        self._owner.eased()

    def _refused(self, append: Append, error: AppendRefused) -> None:
        self._owner.log_refused(error)

    def arrive(self, logged: LoggedTurn) -> None:
        """A turn from either side, in any order; applied once, when it is next."""
        if logged.position <= self.arrivals.position:
            return
        try:
            if self.arrivals.is_next(logged):
                self._arrived(logged)
            else:
                for turn in self.arrivals.offer(logged):
                    self._arrived(turn)
        except (StoreError, ProtocolError, TooFarAhead) as error:
            self.fail(error)

    def _arrived(self, logged: LoggedTurn) -> None:
        sound = logged.turn.epoch == self.epoch or self._let_trust(logged)
        if self.integration is None:
            self._apply(logged, sound=sound)
        else:
            self._due.append(logged)

    def fail(self, error: Exception) -> None:
        """Nothing more is applied."""
        self._owner.log_failed(error)

    def _apply(self, logged: LoggedTurn, *, sound: bool) -> None:
        """`sound` says that the gate of this node has judged it, or called it so (`Gate.follow`)."""
        turn = logged.turn
        self.new = False
        parts = self._parts_of(turn)
        if parts is not None or len(turn.entries) > self.replica.at_once:
            self.integration = Integration(self, logged, parts)
            self.integration.take_turn(perf_counter_ns() + self.host.turns.at_once_ns)
            return
        updates = [entry.update for entry in turn.entries]
        if sound:
            self.replica.put_off(updates, self.host.options.recent_bytes)
        else:  # what breaks the library is not for the members
            self.replica.integrate(updates, self.host.options.recent_bytes)
        self._applied(turn, updates)

    def _parts_of(self, turn: Turn) -> Mapping[int, Parts] | None:
        """Of the entries of `turn`, which is next, those that are large."""
        return self.tail.next_to_apply().draft.parts if turn.epoch == self.epoch else None

    def settle(self) -> None:
        """Let the replica integrate what it has put off."""
        try:
            self.replica.settle()
        except StoreError as error:
            self.fail(error)

    def finish_integration(self) -> None:
        """At once, for who has to see all that the log has."""
        while self.integration is not None:
            self.integration.take_turn(FOR_EVER)

    def integrated(self) -> None:
        """The replica has all of the turn in `integration`."""
        assert self.integration is not None
        integration, self.integration = self.integration, None
        turn = integration.turn.turn
        updates = [entry.update for entry in turn.entries]
        self.replica.note(updates, self.host.options.recent_bytes)
        self._applied(turn, updates)
        if self._due and self.integration is None:
            logged = self._due.pop(0)
            integration.begin(logged, self._parts_of(logged.turn))
            self.integration = integration

    def _applied(self, turn: Turn, updates: Sequence[bytes]) -> None:
        """The replica has this turn: those who are here get it."""
        self.tail_turns += 1
        self.tail_bytes += size_of(updates)
        self.host.counts.turns += 1
        if turn.epoch == self.epoch:
            draft = self.tail.applied().draft
            self._owner.forward(updates, draft.senders)
            if draft.created:
                self.host.on_created(self.name, draft.created)
            draft.shed()
        else:
            self.host.counts.foreign_turns += 1
            self._owner.forward(updates, None)

    def set_gate_aside(self) -> None:
        """The gate is not to see turns of other nodes until it is brought back."""
        self.untrusted = []

    def bring_gate_back(self) -> None:
        missed, self.untrusted = self.untrusted or [], None
        try:
            for logged in missed:
                if logged.position > self.gate_position:
                    self.trust(logged)
        except ProtocolError as error:
            self.fail(error)

    def _let_trust(self, logged: LoggedTurn) -> bool:
        if self.untrusted is not None:
            self.untrusted.append(logged)
        elif logged.position > self.gate_position:
            return self.trust(logged)
        return False

    def trust(self, logged: LoggedTurn) -> bool:
        """Let the gate know a turn of another node; see `Gate.follow`."""
        sound = True
        for entry in logged.turn.entries:
            sound = self.gate.follow(entry.update, entry.user) and sound
            if entry.user == SERVER_USER:
                self.stamper.see(entry.update)
        return sound

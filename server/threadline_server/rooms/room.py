"""A session live on this node: who is here, and what they are told.

    receive -> gate -> draft -> (flush) -> the log takes it -> replica, members -> it is durable -> its sender

Whatever a member is given, a difference or a forwarded update, the log has taken before: the replica holds no
more than that. The way through the log is `RoomLog`'s; this is the side of the devices.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter_ns
from typing import Any, Final

from pycrdt import Doc

from threadline.errors import LimitExceeded, ProtocolError, Refused
from threadline.protocol import close_codes
from threadline.protocol.awareness import EMPTY_AWARENESS
from threadline.protocol.close_codes import CloseCode
from threadline.protocol.sync import EMPTY_UPDATE
from threadline_server.backplane.base import (
    AppendRefused,
    DocumentName,
    Fence,
    Following,
    Position,
    WrongLineage,
)
from threadline_server.rooms.catching_up import joined, step2_frames, update_frames
from threadline_server.rooms.contributor import Contributor, Witness
from threadline_server.rooms.fan_out import fan_out
from threadline_server.rooms.hearing import Hearing
from threadline_server.rooms.host import Host
from threadline_server.rooms.interlude import Interlude, Waiting
from threadline_server.rooms.loading import Loaded
from threadline_server.rooms.long_hearing import LongHearing
from threadline_server.rooms.member import Member
from threadline_server.rooms.node_presence import NodePresence
from threadline_server.rooms.recovery import Recovery
from threadline_server.rooms.replica import Difference
from threadline_server.rooms.room_log import LogOwner, RoomLog
from threadline_server.rooms.seat import NO_MARK, NOT_SYNCED, Seat
from threadline_server.rooms.second_look import SecondLook

_READ_AT_ONCE: Final = 500

_NOBODY: set[Any] = set()
"""Stands for an empty set, which most rooms need no set of their own for; nothing is ever added to it."""

PRESENCE_DELAY_S: Final = 0.1
"""How long presence waits that came too fast."""


class Room(LogOwner):
    """seats, witnesses: the members, and replicas inside this process
    presence:         who is here, on this node and on others
    interlude:        what waits while nothing is judged, None otherwise
    idle_s:           since when nobody is here, None while somebody is
    closed:           why the room serves nobody any more
    dirty:            a flush is due at the end of the loop turn
    """

    __slots__ = (
        "_followings",
        "_gapped",
        "_held",
        "_releasing",
        "_settled_at",
        "closed",
        "compacting",
        "dirty",
        "host",
        "idle_s",
        "interlude",
        "log",
        "presence",
        "seats",
        "witnesses",
    )

    def __init__(self, host: Host, name: DocumentName, epoch: str, loaded: Loaded) -> None:
        self.host = host
        self.log = RoomLog(host, name, epoch, loaded, self)
        self.presence = NodePresence(host, name, epoch)
        self.log.reserved = self.presence.user_of
        self.seats: dict[Member, Seat] = {}
        self.witnesses: tuple[Witness, ...] = ()
        self.interlude: Interlude | None = None
        self.idle_s: float | None = host.now_s()
        self.closed: CloseCode | None = None
        self.dirty = False
        self.compacting = False
        self._gapped: set[Seat] = _NOBODY
        self._held: set[Contributor] = _NOBODY
        self._followings: tuple[Following, ...] = ()
        self._releasing = False
        self._settled_at: Position | None = None

    def start(self) -> None:
        """Follow the log and listen to other nodes; called once, by who made the room."""
        backplane = self.host.backplane
        self._followings = (
            backplane.follow(self.name, self.position, self.log.arrive, self._deleted, self._lost),
            backplane.listen(self.name, self._heard),
        )
        self.presence.ask_nodes()

    @property
    def name(self) -> DocumentName:
        return self.log.name

    @property
    def lineage(self) -> str:
        return self.log.lineage

    @property
    def position(self) -> Position:
        """How far the replica is along the log."""
        return self.log.position

    def document(self) -> Doc[Any]:
        """What the log holds now, for reading; never to be written to. Raises ReplicaBroken."""
        return self.log.replica.document()

    async def catch_up(self) -> None:
        """Read the log to its head, as it is now; turns of other nodes come by themselves, and later.

        Raises SessionError, StoreError.
        """
        while self.closed is None:
            turns = await self.host.backplane.read(self.name, self.position, _READ_AT_ONCE)
            for logged in turns:
                self.log.arrive(logged)
            if len(turns) < _READ_AT_ONCE:
                return

    def stats(self) -> dict[str, float]:
        log = self.log
        return {
            "members": len(self.seats),
            "replicas": len(self.witnesses),
            "present": len(self.presence),
            "behind": sum(seat.behind is not None for seat in self.seats.values()),
            "position": log.position,
            "tail_turns": log.tail_turns,
            "tail_bytes": log.tail_bytes,
            "not_durable_bytes": log.tail.size,
        }

    def touch(self) -> None:
        """Somebody is about to join."""
        if self.idle_s is not None:
            self.idle_s = self.host.now_s()

    def is_idle(self, since_s: float) -> bool:
        """Nobody has been here since `since_s`, and everything is durable."""
        if self.idle_s is None or self.idle_s > since_s or self.interlude is not None or self.compacting:
            return False
        return self.log.tail.durable and self.log.settled

    def mark_dirty(self) -> None:
        if not self.dirty:
            self.host.mark_dirty(self)

    # coming and going

    def join(self, member: Member) -> None:
        """From now on `member` may be written to; it gets updates once it has sent a step 1."""
        seat = self.seats[member] = Seat(member)
        self.idle_s = None
        encoder = member.encoder
        greeting = b""
        if encoder.greets:
            seat.expect(counted=True)
            greeting = encoder.step1(self.log.replica.state_vector())
        if present := self.presence.everyone():
            greeting += encoder.awareness(present)
        if greeting:
            member.write(greeting)

    def leave(self, member: Member) -> None:
        """The device is gone. What it sent goes on its way, and so does whatever it asked for."""
        seat = self.seats.pop(member, None)
        if seat is not None:
            self._forget(seat)

    def attach(self, witness: Witness) -> Difference:
        """A replica inside the process takes part from here on; gives back all that the log has."""
        self.witnesses = (*self.witnesses, witness)
        self.idle_s = None
        return self.log.replica.difference(b"\x00")

    def detach(self, witness: Witness) -> None:
        if witness in self.witnesses:
            self.witnesses = tuple([other for other in self.witnesses if other is not witness])
            self._forget(witness)

    def has(self, contributor: Contributor) -> bool:
        """Whether it takes part still."""
        if isinstance(contributor, Seat):
            return self.seats.get(contributor.member) is contributor
        return contributor in self.witnesses

    def expel(self, contributor: Contributor, close: CloseCode, detail: str = "") -> None:
        """End it for one of those who take part, and tell it why."""
        if isinstance(contributor, Seat):
            if self.seats.pop(contributor.member, None) is None:
                return
            self._forget(contributor)
        elif isinstance(contributor, Witness):
            self.detach(contributor)
        contributor.end(close, detail)

    def close(self, close: CloseCode, detail: str = "") -> None:
        """End it for everyone. Idempotent. What is on its way into the log still gets there, and when the
        node stops also what is drafted; otherwise that was never acknowledged, and whoever made it has it.
        """
        if self.closed is not None:
            return
        self.closed = close
        followings, self._followings = self._followings, ()
        for following in followings:
            following.close()
        everyone: tuple[Contributor, ...] = (*self.seats.values(), *self.witnesses)
        for contributor in everyone:
            self.expel(contributor, close, detail)
        if close is not close_codes.RESTARTING:
            self.log.tail.abandon()
        self.host.closed(self)
        if self.log.tail.durable:
            self.log.release()

    def _forget(self, contributor: Contributor) -> None:
        self.log.tail.forget(contributor)
        self._gapped.discard(contributor)
        self._held.discard(contributor)
        if self.presence.leave(contributor):
            self.mark_dirty()
        if not self.seats and not self.witnesses:
            self.idle_s = self.host.now_s()

    # what members send

    def receive_step1(self, member: Member, state_vector: bytes) -> None:
        """Answer with what the member lacks, after our own step 1 where its dialect wants that."""
        seat = self.seats.get(member)
        if seat is None:
            return
        replica = self.log.replica
        encoded = replica.encoded
        try:
            difference = replica.difference(state_vector)
        except ProtocolError as error:
            self._expel_malformed(seat, error)
            return
        if difference.whole:
            self.host.counts.joins_cached += encoded
            self.host.counts.joins_encoded += not encoded
        encoder = member.encoder
        seat.owed = 0
        frames: list[bytes] = []
        if not encoder.greets:
            seat.expect(counted=True)
            frames.append(encoder.step1(replica.state_vector()))
        self._bring_level(seat, frames + step2_frames(difference, encoder))

    def receive_update(self, member: Member, update: bytes, *, whole: bool) -> None:
        """Judge an update, or a step 2 when `whole`."""
        seat = self.seats.get(member)
        if seat is None:
            return
        if self.interlude is not None:
            self.interlude.wait(seat, update, whole=whole)
        else:
            self.take_in(seat, update, whole=whole)

    def receive_awareness(self, member: Member, entries: bytes) -> None:
        """Take what the member says of itself; echoes of others' presence are known by their clocks."""
        seat = self.seats.get(member)
        if seat is None:
            return
        try:
            answer = self.presence.receive(seat, entries, self.log.gate.owner)
        except ProtocolError as error:
            self._expel_malformed(seat, error)
            return
        if answer is not None:
            member.write(member.encoder.awareness(answer))
        if self.presence.late:
            self._release_presence_soon()
        self.mark_dirty()

    def _release_presence_soon(self) -> None:
        if not self._releasing:
            self._releasing = True
            asyncio.get_running_loop().call_later(PRESENCE_DELAY_S, self._release_presence)

    def _release_presence(self) -> None:
        self._releasing = False
        if self.closed is not None:
            return
        self.presence.release()
        self.mark_dirty()
        if self.presence.late:
            self._release_presence_soon()

    def receive_awareness_query(self, member: Member) -> None:
        """Answer with everyone who is here."""
        if member in self.seats:
            member.write(member.encoder.awareness(self.presence.everyone() or EMPTY_AWARENESS))

    def drained(self, member: Member) -> None:
        """A member that was congested is not any more: bring it up to date with one difference."""
        seat = self.seats.get(member)
        if seat is None or seat.behind is None or seat.behind == NOT_SYNCED:
            return
        encoder = member.encoder
        missed = self.log.replica.missed(seat.mark, seat.behind)
        frames = update_frames(missed.parts, encoder)
        if present := self.presence.everyone():
            frames.append(encoder.awareness(present))
        self.host.counts.caught_up += 1
        self._bring_level(seat, frames)

    def _bring_level(self, seat: Seat, frames: list[bytes]) -> None:
        """Write what makes a member as new as the replica, and what was held back for it."""
        member = seat.member
        if seat.unsaved:
            frames.append(member.encoder.saved(seat.unsaved))
            seat.unsaved = 0
        for data in joined(frames):
            member.write(data)
        seat.behind = None
        if member.congested:
            seat.fall_behind(self.log.replica)

    # judging

    def take_in(
        self,
        contributor: Contributor,
        update: bytes,
        *,
        whole: bool = False,
        fence: Fence | None = None,
        at_head: bool = False,
    ) -> None:
        """Judge what came in, acknowledge it when it is durable, and end it for a sender that went wrong.

        `at_head` says that nothing in the log can be unknown here.
        """
        if self.overfull(contributor):
            return
        log = self.log
        if update == EMPTY_UPDATE:
            self._settle(contributor, whole=whole, gap=False)
            return
        actor = contributor.actor
        verdict = log.gate.admit_keystroke(update, actor)
        if verdict is not None:
            self._settle(contributor, whole=whole, gap=log.accept(verdict, actor, contributor, fence))
            return
        heard = Waiting(contributor, update, whole, fence)
        hearing: Hearing | None = None
        error: Refused | ProtocolError | None = None
        try:
            hearing = log.hear(update, actor, whole=whole)
            if not hearing.advance(perf_counter_ns() + self.host.turns.at_once_ns):
                LongHearing(self, hearing, heard, at_head=at_head)
                return
        except (Refused, ProtocolError) as caught:
            error = caught
        self.conclude(hearing, heard, error, at_head=at_head)

    def conclude(
        self, hearing: Hearing | None, heard: Waiting, error: Refused | ProtocolError | None, *, at_head: bool
    ) -> None:
        """What follows from a hearing that is over; `error` is why nothing is taken, if so."""
        contributor, whole = heard.contributor, heard.whole
        if error is None:
            assert hearing is not None and hearing.verdict is not None
            gap = self.log.accept(hearing.verdict, contributor.actor, contributor, heard.fence)
            self._settle(contributor, whole=whole, gap=gap)
        elif isinstance(error, ProtocolError):
            self._expel_malformed(contributor, error)
        elif at_head or not self._looks_again(hearing, heard):
            self._refuse(contributor, error, whole=whole)

    def _settle(self, contributor: Contributor, *, whole: bool, gap: bool) -> None:
        self.acknowledge(contributor, contributor.settle(whole=whole, gap=gap))
        if isinstance(contributor, Seat) and (gap or self._gapped) and self.has(contributor):
            self._note_gap(contributor, gap=gap, whole=whole)

    def _looks_again(self, hearing: Hearing | None, heard: Waiting) -> bool:
        """Whether the judgement waits until the log is read: client ids unknown here may be known there.

        Only a step 2 brings what others wrote.
        """
        seat = heard.contributor
        if hearing is None or not heard.whole or not isinstance(seat, Seat):
            return False
        if self.log.gate.knows_clients_of(hearing.parsed):
            return False
        if self.host.backplane.is_head(self.name, self.position):
            return False
        look = SecondLook(self, seat, heard.update)
        self.interlude = look
        self.host.counts.second_looks += 1
        self.host.spawn(look.run())
        return True

    def _refuse(self, contributor: Contributor, refused: Refused, *, whole: bool) -> None:
        self.host.counts.refused += 1
        if self.has(contributor) and not contributor.decline(whole=whole):
            self.expel(contributor, close_codes.REPLICA_REJECTED, str(refused))

    def acknowledge(self, contributor: Contributor, count: int) -> None:
        """Tell it of `count` messages once all that is here now is durable; who has left is told nothing."""
        if count and not self.log.tail.owe(contributor, count) and self.has(contributor):
            contributor.acknowledge(count)

    def take_from(self, witness: Witness, update: bytes, fence: Fence | None) -> None:
        """Judge what a replica inside the process wrote. Raises Refused, a ProtocolError, or LimitExceeded.

        During a recovery it is judged later, and the witness ended if it does not pass. It writes in order,
        so nothing of an update is still to come: it is judged as a step 2 is.
        """
        if self.closed is not None:
            raise LimitExceeded("the room is closed")
        if self.interlude is not None:
            self.interlude.wait(witness, update, whole=True, fence=fence)
            return
        if self.overfull(witness):
            raise LimitExceeded("the store is too far behind")
        gap = self.log.contribute(witness, witness.actor, update, whole=True, fence=fence)
        self.acknowledge(witness, witness.settle(whole=True, gap=gap))

    def is_level(self, client: int, user: str) -> bool:
        """Whether `user` may write under `client` and the log has taken all that was written under it."""
        owner = self.log.gate.owner(client)
        clock = self.log.replica.clocks().get(client, 0)
        return owner in (None, user) and self.log.gate.next_clock(client) == clock

    def announce(self, witness: Witness, entries: bytes) -> None:
        """Presence of a replica inside the process."""
        self.presence.receive(witness, entries, self.log.gate.owner)
        if self.presence.late:
            self._release_presence_soon()
        self.mark_dirty()

    def _note_gap(self, seat: Seat, *, gap: bool, whole: bool) -> None:
        if not gap:
            if whole:
                self._gapped.discard(seat)
            return
        if self._gapped is _NOBODY:
            self._gapped = set()
        self._gapped.add(seat)
        self._ask(seat)

    def _ask(self, seat: Seat) -> None:
        """Send a step 1, unless one is on its way (its answer will hold all that came before) or just was."""
        now_s = self.host.now_s()
        if seat.expected or now_s < seat.asked_s + self.host.options.ask_again_s:
            return
        seat.asked_s = now_s
        seat.expect(counted=False)
        seat.write(seat.encoder.step1(self.log.replica.state_vector()))

    def overfull(self, contributor: Contributor) -> bool:
        """Hold who writes while the store is behind; send it away when that was not enough."""
        host = self.host
        log = self.log
        size = log.tail.size
        if size <= host.pause_bytes:
            return log.base_bytes + log.tail_bytes > host.max_session_bytes and self._outgrown(contributor)
        if size > host.options.refuse_bytes:
            self.expel(contributor, close_codes.STORE_UNAVAILABLE)
            return True
        if self._held is _NOBODY:
            self._held = set()
        if contributor not in self._held:
            self._held.add(contributor)
            contributor.hold(True)
        return False

    def _outgrown(self, contributor: Contributor) -> bool:
        """End it for a device that writes into a document that is as large as one may be."""
        if not isinstance(contributor, Seat):
            return False
        self.host.counts.outgrown += 1
        self.expel(contributor, close_codes.QUOTA_EXCEEDED, "this session is as large as one may be")
        return True

    def eased(self) -> None:
        if self._held:
            self._release()
        if self.closed is not None:
            self.host.progress.notify()
            if self.log.tail.durable:
                self.log.release()

    def _release(self) -> None:
        if self._held and self.log.tail.size <= self.host.pause_bytes // 2:
            held, self._held = self._held, _NOBODY
            for contributor in held:
                contributor.hold(False)

    def _expel_malformed(self, contributor: Contributor, error: ProtocolError) -> None:
        self.host.counts.malformed += 1
        self.expel(contributor, close_codes.MALFORMED, error.message)

    # the flush, and what comes back from the log

    def forward(self, updates: Sequence[bytes], senders: Sequence[Contributor | None] | None) -> None:
        counts = self.host.counts
        counts.writes += fan_out(self.seats.values(), updates, senders, self._fall_behind)
        for witness in self.witnesses:
            witness.feed(_without_own(witness, updates, senders))
        if self.log.is_long or self.interlude is not None:
            self.host.long(self)

    def _fall_behind(self, seat: Seat) -> None:
        self.host.counts.fell_behind += 1
        seat.fall_behind(self.log.replica)

    def _heard(self, payload: bytes) -> None:
        self.presence.hear(payload)
        self.mark_dirty()

    def sweep(self) -> None:
        """What is due every few seconds."""
        self.log.settle()
        if self.closed is not None:
            return
        if self.presence.expire():
            self.mark_dirty()
        for seat in tuple(self._gapped):
            self._ask(seat)
        self._release()
        self._tell_again()
        self.log.replica.drop_unused()
        if self.log.is_long:  # what came last came while something large was heard
            self.host.long(self)

    def _tell_again(self) -> None:
        """Of what waits for somebody, until nothing does; then not before the next turn."""
        if self.position == self._settled_at or self.log.applying:
            return
        waiting = self.host.waiting(self.name, self.document())
        if waiting:
            self.host.on_created(self.name, waiting)
        else:
            self._settled_at = self.position

    def log_refused(self, error: AppendRefused) -> None:
        if isinstance(error, WrongLineage):
            self._deleted()
        if self.closed is not None:
            self.log.tail.withdraw()
            self.eased()
            return
        recovery = Recovery(self, error)
        self.interlude = recovery
        self.host.spawn(recovery.run())

    def reload(self, loaded: Loaded) -> None:
        """Judge by a gate loaded anew, and catch up with the log as it was then."""
        log = self.log
        log.use(loaded)
        if loaded.base_position > log.position:
            self._start_over(loaded)
        else:
            for logged in loaded.tail:
                log.arrive(logged)
        log.tail_turns, log.tail_bytes = loaded.tail_turns, loaded.tail_bytes
        log.bring_gate_back()

    def _start_over(self, loaded: Loaded) -> None:
        """The log was cut past our position: take the loaded replica, and give members the difference."""
        level = self.log.replica.state_vector()
        self.log.replace(loaded)
        for witness in self.witnesses:
            self.expel(witness, close_codes.ROOM_RELOADED)
        for seat in tuple(self.seats.values()):
            seat.mark = NO_MARK
            if seat.behind is None:
                seat.behind = level
                self.drained(seat.member)

    def log_failed(self, error: Exception) -> None:
        self.host.counts.failures += 1
        self.host.report("A room could not apply its log", self.name, error)
        self.close(close_codes.ROOM_RELOADED)

    def _deleted(self) -> None:
        self.close(close_codes.SESSION_DELETED)

    def _lost(self) -> None:
        self.close(close_codes.ROOM_RELOADED)


def _without_own(
    witness: Witness, updates: Sequence[bytes], senders: Sequence[Contributor | None] | None
) -> Sequence[bytes]:
    if senders is None or witness not in senders:
        return updates
    return [update for update, sender in zip(updates, senders, strict=True) if sender is not witness]

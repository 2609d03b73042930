"""From what the store has of a document to a replica and a gate."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from zlib import crc32

from threadline.document.judgement import RuleBook
from threadline.errors import ProtocolError, StoreError
from threadline.ids import SERVER_USER
from threadline.protocol.varint import Reader, encode_uint
from threadline_server.backplane.base import Damaged, DocumentName, Entry, LoggedTurn, Position, Stored
from threadline_server.rooms.cuts import NO_CUTS, BaseParts
from threadline_server.rooms.gate import NO_OWNER, Gate, IndexDamaged
from threadline_server.rooms.host import Host
from threadline_server.rooms.replica import Replica, ReplicaBroken
from threadline_server.rooms.stamper import highest_in_document
from threadline_server.rooms.stamps import highest_seq
from threadline_server.rooms.trust import Trust
from threadline_server.rooms.turns import Slice
from threadline_server.rooms.update_writer import Parts

INDEX_VERSION = 3
UNCUT_VERSION = 2  # said nothing of where the base may be cut
UNBOUND_VERSION = 1  # said nothing of its base
_LARGE_BYTES = 256 * 1024
_LARGE_UPDATE_BYTES = 16 * 1024
"""What is larger may take the gate and the document library more than a millisecond."""


@dataclass(slots=True)
class Loaded:
    """A document up to `position`. `tail` is what came after its base."""

    lineage: str
    replica: Replica
    gate: Gate
    highest_seq: int
    base_bytes: int
    base_position: Position
    position: Position
    tail: tuple[LoggedTurn, ...]

    @property
    def tail_turns(self) -> int:
        return len(self.tail)

    @property
    def tail_bytes(self) -> int:
        return sum(len(entry.update) for logged in self.tail for entry in logged.turn.entries)


async def load(host: Host, name: DocumentName) -> Loaded:
    """Raises SessionNotFound, SessionDeleted, or a StoreError where the data cannot be had or read."""
    async with asyncio.timeout(host.options.load_timeout_s):
        stored = await host.backplane.load(name)
    try:
        return await _build(host, stored, host.rules(name))
    except ProtocolError as error:
        raise Damaged(f"What is stored of {name} cannot be read: {error.message}") from error


async def _build(host: Host, stored: Stored, rules: RuleBook) -> Loaded:
    """A little at a time and in line: others do not wait for it."""
    slice_ = Slice(host.turns)
    kept, replica = Kept(Gate(rules), 0), Replica()
    if stored.base is not None:
        kept = await _kept_of_base(stored, rules)
        replica = await _replica_of_base(stored.base, kept, slice_)
    highest = highest_in_document(replica.document()) if kept.highest is None else kept.highest
    gate = kept.gate
    tail = _Tail(gate, replica, host.options.recent_bytes, slice_)
    return Loaded(
        lineage=stored.lineage,
        replica=replica,
        gate=gate,
        highest_seq=max(highest, await tail.add(stored.tail)),
        base_bytes=len(stored.base or b""),
        base_position=stored.base_position,
        position=stored.position,
        tail=stored.tail,
    )


async def _replica_of_base(base: bytes, kept: Kept, slice_: Slice) -> Replica:
    replica = await _replica_of_parts(base, kept, slice_) if kept.cuts else None
    if replica is None:
        replica = Replica()
        replica.integrate_some((base,))
    replica.hold(base)
    return replica


async def _replica_of_parts(base: bytes, kept: Kept, slice_: Slice) -> Replica | None:
    """None where these are no parts of it."""
    replica = Replica()
    try:
        await _integrate(replica, BaseParts(base, kept.cuts), slice_)
    except (ReplicaBroken, ProtocolError):
        return None
    whole = {client: clock for client, clock in kept.gate.clocks().items() if clock}
    return replica if replica.clocks() == whole else None


async def _integrate(replica: Replica, parts: BaseParts | Parts, slice_: Slice) -> None:
    part = parts.next()
    while part is not None:
        replica.integrate_some((part,))
        if slice_.over:
            await slice_.next()
        part = parts.next()


class _Tail:
    """Adds a tail to what was made of the base."""

    def __init__(self, gate: Gate, replica: Replica, recent_limit: int, slice_: Slice) -> None:
        self._recent_limit = recent_limit
        self._slice = slice_
        self._gate = gate
        self._replica = replica

    async def add(self, tail: Iterable[LoggedTurn]) -> int:
        """Gives back the highest number stamped in it."""
        highest = 0
        ready: list[bytes] = []
        for entry in (entry for logged in tail for entry in logged.turn.entries):
            if len(entry.update) > _LARGE_UPDATE_BYTES:
                self._replica.integrate(ready, self._recent_limit)
                ready = []
                await self._add_large(entry)
            else:
                self._gate.trust(entry.update, entry.user)
                ready.append(entry.update)
            if entry.user == SERVER_USER:
                highest = max(highest, highest_seq(entry.update))
            if self._slice.over:
                self._replica.integrate(ready, self._recent_limit)
                ready = []
                await self._slice.next()
        self._replica.integrate(ready, self._recent_limit)
        return highest

    async def _add_large(self, entry: Entry) -> None:
        trust = Trust(self._gate, entry.update, entry.user)
        while not trust.advance(self._slice.until_ns):
            await self._slice.next()
        assert trust.verdict is not None
        parts = trust.verdict.parts
        if parts is None:
            self._replica.integrate([entry.update], self._recent_limit)
        else:
            await _integrate(self._replica, parts, self._slice)
            self._replica.note([entry.update], self._recent_limit)
        while not trust.parsed.let_go(self._slice.until_ns):
            await self._slice.next()


@dataclass(frozen=True, slots=True)
class Kept:
    """What is stored beside a base: the gate, the highest number stamped in it (None where that has to be
    looked for) and where it may be cut.
    """

    gate: Gate
    highest: int | None
    cuts: bytes = NO_CUTS


async def _kept_of_base(stored: Stored, rules: RuleBook) -> Kept:
    """Where it is missing or of another version, a gate built from the base.

    A large one is read in a thread, which lets the loop in between.
    """
    assert stored.base is not None
    if len(stored.base) < _LARGE_BYTES:
        return _read_or_build(stored.base, stored.index, rules)
    return await asyncio.to_thread(_read_or_build, stored.base, stored.index, rules)


def _read_or_build(base: bytes, index: bytes | None, rules: RuleBook) -> Kept:
    kept = read_index(base, index, rules) if index is not None else None
    if kept is not None:
        return kept
    gate = Gate(rules)
    gate.trust(base, NO_OWNER)
    return Kept(gate, None)


def read_index(base: bytes, index: bytes, rules: RuleBook) -> Kept | None:
    """None where it was written by another version, for another base, or cannot be read."""
    try:
        reader = Reader(index)
        version = reader.read_uint()
        if version not in (UNBOUND_VERSION, UNCUT_VERSION, INDEX_VERSION):
            return None
        if version != UNBOUND_VERSION and reader.read_uint() != crc32(base):
            return None
        cuts = _read_cuts(reader) if version == INDEX_VERSION else NO_CUTS
        highest = reader.read_uint()
        return Kept(Gate.load(index, rules, start=reader.position), highest, cuts)
    except (ProtocolError, StoreError):
        return None


def _read_cuts(reader: Reader) -> bytes:
    cuts = reader.read_bytes(reader.remaining)
    if reader.read_uint() != crc32(cuts):
        raise IndexDamaged("The cuts of a base are not what was written.")
    return cuts


def index_for(base: bytes, highest: int, dumped: bytes, cuts: bytes = NO_CUTS) -> bytes:
    """What is stored beside `base`, and believed beside no other: a base without it is read strictly."""
    head = (INDEX_VERSION, crc32(base), len(cuts))
    tail = (crc32(cuts), highest)
    return b"".join((*map(encode_uint, head), cuts, *map(encode_uint, tail), dumped))

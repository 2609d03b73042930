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
from threadline_server.rooms.gate import NO_OWNER, Gate
from threadline_server.rooms.host import Host
from threadline_server.rooms.replica import Replica
from threadline_server.rooms.stamper import highest_in_document
from threadline_server.rooms.stamps import highest_seq
from threadline_server.rooms.trust import Trust
from threadline_server.rooms.turns import Slice
from threadline_server.rooms.update_writer import Parts

INDEX_VERSION = 2
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
    gate, highest = await _gate_of_base(stored, rules)
    replica = Replica()
    if stored.base is not None:
        replica.start_with(stored.base)
        if highest is None:
            highest = highest_in_document(replica.document())
    highest = max(highest or 0, await _Tail(host, gate, replica).add(stored.tail))
    return Loaded(
        lineage=stored.lineage,
        replica=replica,
        gate=gate,
        highest_seq=highest,
        base_bytes=len(stored.base or b""),
        base_position=stored.base_position,
        position=stored.position,
        tail=stored.tail,
    )


class _Tail:
    """Adds a tail to what was made of the base, a little at a time and in line: others do not wait for it."""

    def __init__(self, host: Host, gate: Gate, replica: Replica) -> None:
        self._recent_limit = host.options.recent_bytes
        self._slice = Slice(host.turns)
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
            await self._integrate(parts)
            self._replica.note([entry.update], self._recent_limit)
        while not trust.parsed.let_go(self._slice.until_ns):
            await self._slice.next()

    async def _integrate(self, parts: Parts) -> None:
        part = parts.next()
        while part is not None:
            self._replica.integrate_some((part,))
            if self._slice.over:
                await self._slice.next()
            part = parts.next()


async def _gate_of_base(stored: Stored, rules: RuleBook) -> tuple[Gate, int | None]:
    """The gate that was stored with the base, and the highest number stamped; where it is missing or of
    another version, a gate built from the base, and None.

    A large one is built in a thread: it is Python, which lets the loop in between.
    """
    if stored.base is None:
        return Gate(rules), 0
    if len(stored.base) < _LARGE_BYTES:
        return _read_gate(stored.base, stored.index, rules)
    return await asyncio.to_thread(_read_gate, stored.base, stored.index, rules)


def _read_gate(base: bytes, index: bytes | None, rules: RuleBook) -> tuple[Gate, int | None]:
    stored = read_index(base, index, rules) if index is not None else None
    if stored is not None:
        return stored
    gate = Gate(rules)
    gate.trust(base, NO_OWNER)
    return gate, None


def read_index(base: bytes, index: bytes, rules: RuleBook) -> tuple[Gate, int] | None:
    """None where it was written by another version, for another base, or cannot be read."""
    try:
        reader = Reader(index)
        version = reader.read_uint()
        if version not in (UNBOUND_VERSION, INDEX_VERSION):
            return None
        if version == INDEX_VERSION and reader.read_uint() != crc32(base):
            return None
        highest = reader.read_uint()
        return Gate.load(index[reader.position :], rules), highest
    except (ProtocolError, StoreError):
        return None


def dump_gate(gate: Gate, highest: int) -> bytes:
    """What `index_for` puts beside the base of this moment."""
    return encode_uint(highest) + gate.dump()


def index_for(base: bytes, dumped: bytes) -> bytes:
    """What is stored beside `base`, and believed beside no other: a base without it is read strictly."""
    return encode_uint(INDEX_VERSION) + encode_uint(crc32(base)) + dumped

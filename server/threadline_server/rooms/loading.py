"""From what the store has of a document to a replica and a gate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from zlib import crc32

from threadline.document.judgement import RuleBook
from threadline.errors import ProtocolError, StoreError
from threadline.ids import SERVER_USER
from threadline.protocol.varint import Reader, encode_uint
from threadline_server.backplane.base import Damaged, DocumentName, LoggedTurn, Position, Stored
from threadline_server.rooms.gate import NO_OWNER, Gate
from threadline_server.rooms.host import Host
from threadline_server.rooms.replica import Replica
from threadline_server.rooms.stamper import highest_in_document
from threadline_server.rooms.stamps import highest_seq

INDEX_VERSION = 2
UNBOUND_VERSION = 1  # said nothing of its base
_LARGE_BYTES = 256 * 1024
_AT_ONCE_S = 0.005


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
        return await _build(stored, host.rules(name), host.options.recent_bytes)
    except ProtocolError as error:
        raise Damaged(f"What is stored of {name} cannot be read: {error.message}") from error


async def _build(stored: Stored, rules: RuleBook, recent_limit: int) -> Loaded:
    gate, highest = await _gate_of_base(stored, rules)
    replica = Replica()
    if stored.base is not None:
        replica.start_with(stored.base)
        if highest is None:
            highest = highest_in_document(replica.document())
    highest = max(highest or 0, await _add_turns(gate, replica, stored.tail, recent_limit))
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


async def _add_turns(gate: Gate, replica: Replica, turns: Iterable[LoggedTurn], recent_limit: int) -> int:
    """Add a tail, letting the loop turn now and then. Gives back the highest number stamped in it."""
    highest = 0
    ready: list[bytes] = []
    started = time.perf_counter()
    for logged in turns:
        for entry in logged.turn.entries:
            gate.trust(entry.update, entry.user)
            ready.append(entry.update)
            if entry.user == SERVER_USER:
                highest = max(highest, highest_seq(entry.update))
        if time.perf_counter() - started > _AT_ONCE_S:
            replica.integrate(ready, recent_limit)
            ready = []
            await asyncio.sleep(0)
            started = time.perf_counter()
    replica.integrate(ready, recent_limit)
    return highest


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


def dump_gate(gate: Gate, highest: int, base: bytes) -> bytes:
    """What is stored beside `base`, and believed beside no other: a base without it is read strictly."""
    return encode_uint(INDEX_VERSION) + encode_uint(crc32(base)) + encode_uint(highest) + gate.dump()

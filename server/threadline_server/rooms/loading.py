"""From what the store has of a document to a replica and a gate."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from threadline.document.judgement import RuleBook
from threadline.errors import ProtocolError, StoreError
from threadline.ids import SERVER_USER
from threadline.protocol.varint import Reader, encode_uint
from threadline_server.backplane.base import DocumentName, LoggedTurn, Position, Stored
from threadline_server.rooms.gate import NO_OWNER, Gate
from threadline_server.rooms.host import Host
from threadline_server.rooms.replica import Replica
from threadline_server.rooms.stamper import highest_seq, is_stamp

INDEX_VERSION = 1
_LARGE_BYTES = 256 * 1024
_TURNS_AT_ONCE = 256


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
        return await _build(stored, host.rules(name))
    except ProtocolError as error:
        raise StoreError(f"What is stored of {name} cannot be read: {error.message}") from error


async def _build(stored: Stored, rules: RuleBook) -> Loaded:
    gate, highest = await _gate_of_base(stored, rules)
    replica = Replica()
    if stored.base is not None:
        replica.integrate([stored.base])
    for start in range(0, len(stored.tail), _TURNS_AT_ONCE):
        turns = stored.tail[start : start + _TURNS_AT_ONCE]
        highest = max(highest, _add_turns(gate, replica, turns))
        await asyncio.sleep(0)
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


def _add_turns(gate: Gate, replica: Replica, turns: tuple[LoggedTurn, ...]) -> int:
    """Gives back the highest number stamped in them."""
    highest = 0
    entries = [entry for logged in turns for entry in logged.turn.entries]
    for entry in entries:
        gate.trust(entry.update, entry.user)
        if entry.user == SERVER_USER and is_stamp(entry.update):
            highest = max(highest, highest_seq(entry.update))
    replica.integrate([entry.update for entry in entries])
    return highest


async def _gate_of_base(stored: Stored, rules: RuleBook) -> tuple[Gate, int]:
    """The gate that was stored with the base; where it is missing or of another version, one built from it.

    A large one is built in a thread: it is Python, which lets the loop in between.
    """
    if stored.base is None:
        return Gate(rules), 0
    if len(stored.base) < _LARGE_BYTES:
        return _read_gate(stored.base, stored.index, rules)
    return await asyncio.to_thread(_read_gate, stored.base, stored.index, rules)


def _read_gate(base: bytes, index: bytes | None, rules: RuleBook) -> tuple[Gate, int]:
    stored = _read_index(index, rules) if index is not None else None
    if stored is not None:
        return stored
    gate = Gate(rules)
    gate.trust(base, NO_OWNER)
    return gate, highest_seq(base)


def _read_index(index: bytes, rules: RuleBook) -> tuple[Gate, int] | None:
    """None where it was written by another version, or cannot be read."""
    try:
        reader = Reader(index)
        if reader.read_uint() != INDEX_VERSION:
            return None
        highest = reader.read_uint()
        return Gate.load(index[reader.position :], rules), highest
    except (ProtocolError, StoreError):
        return None


def dump_gate(gate: Gate, highest: int) -> bytes:
    """What is stored beside a base."""
    return encode_uint(INDEX_VERSION) + encode_uint(highest) + gate.dump()

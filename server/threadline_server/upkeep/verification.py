"""Proof that what is stored of a document agrees with itself, and with what a device is given.

Four things tell the same story, each from other bytes: the log's positions and clock ranges, the item index
that lies beside the base, a replica to which the log was applied turn by turn, and a replica made of that
one's encoding. Contents are compared by the canonical digest, since state vectors can agree while contents
differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pycrdt import Doc

from threadline.document.digest import companion_digest, session_digest
from threadline.document.rules import rules_for
from threadline.errors import ProtocolError, StoreError
from threadline.ids import split_document_name
from threadline_server.backplane.base import ClockRange, DocumentName, Entry, LoggedTurn, Stored
from threadline_server.rooms.gate import NO_OWNER, Gate
from threadline_server.rooms.loading import read_index
from threadline_server.rooms.replica import Replica

MAX_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Verification:
    """`faults` are sentences, none for a document that is sound; `digest` is that of its content."""

    document: DocumentName
    position: int
    base_bytes: int
    turns: int
    digest: str
    faults: tuple[str, ...]


def digest_of(document: DocumentName, doc: Doc[Any]) -> str:
    return session_digest(doc) if split_document_name(document)[1] is None else companion_digest(doc)


def verify(document: DocumentName, stored: Stored) -> Verification:
    """Reads everything; takes as long as loading the document twice."""
    faults: list[str] = []
    digest = ""
    try:
        digest = _digest_when_sound(document, stored, faults)
    except (ProtocolError, StoreError) as error:
        faults.append(f"It cannot be read: {error.message}")
    return Verification(
        document,
        stored.position,
        len(stored.base or b""),
        len(stored.tail),
        digest,
        tuple(faults[:MAX_FAULTS]),
    )


def _digest_when_sound(document: DocumentName, stored: Stored, faults: list[str]) -> str:
    gate = _gate_of_base(document, stored, faults)
    replica = Replica()
    if stored.base is not None:
        replica.integrate([stored.base])
    expected = stored.base_position + 1
    for logged in stored.tail:
        if logged.position != expected:
            faults.append(f"After turn {expected - 1} comes turn {logged.position}.")
        faults += _faults_of_turn(gate, logged)
        replica.integrate([entry.update for entry in logged.turn.entries])
        expected = logged.position + 1
    digest = digest_of(document, replica.document())
    faults += _faults_of_replica(document, gate, replica, digest)
    return digest


def _gate_of_base(document: DocumentName, stored: Stored, faults: list[str]) -> Gate:
    """The gate that was stored, where it says the same as the base; else one made of the base."""
    rules = rules_for(split_document_name(document)[1])
    made = Gate(rules)
    if stored.base is None:
        return made
    made.trust(stored.base, NO_OWNER)
    kept = None if stored.index is None else read_index(stored.base, stored.index, rules)
    if kept is None:
        return made  # lost, or made for another base: a node makes it anew, just so
    if kept.gate.clocks() != made.clocks():
        faults.append("The index beside the base knows other clocks than the base has.")
        return made
    return kept.gate


def _faults_of_turn(gate: Gate, logged: LoggedTurn) -> Iterator[str]:
    for entry in logged.turn.entries:
        new = gate.trust(entry.update, entry.user)
        if _joined(new) != _joined(entry.ranges):
            yield f"Turn {logged.position} states other clocks than its update brings."
        yield from _faults_of_owners(gate, logged, entry)


def _faults_of_owners(gate: Gate, logged: LoggedTurn, entry: Entry) -> Iterator[str]:
    for clocks in entry.ranges:
        owner = gate.owner(clocks.client)
        if owner not in (entry.user, NO_OWNER):
            yield f"Turn {logged.position}: {entry.user} wrote under client id {clocks.client} of {owner}."


def _faults_of_replica(document: DocumentName, gate: Gate, replica: Replica, digest: str) -> Iterator[str]:
    if replica.clocks() != {client: clock for client, clock in gate.clocks().items() if clock}:
        yield "The replica has other clocks than the index."
    again = Replica()
    again.integrate([replica.encode()])
    if digest_of(document, again.document()) != digest:
        yield "A replica made of the whole has other content than one made turn by turn."


def _joined(ranges: tuple[ClockRange, ...]) -> dict[int, tuple[int, int]]:
    """Client id to the clocks from the first to the last."""
    joined: dict[int, tuple[int, int]] = {}
    for clocks in ranges:
        start, end = joined.get(clocks.client, (clocks.start, clocks.end))
        joined[clocks.client] = (min(start, clocks.start), max(end, clocks.end))
    return joined

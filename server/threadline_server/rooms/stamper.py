"""Gives each message that is created its place in the transcript: the highest number seen plus one, and the
node.
"""

from __future__ import annotations

from collections.abc import Iterator

from threadline.actors import Actor, Role
from threadline.ids import SERVER_USER, new_client_id
from threadline_server.backplane.base import ClockRange, DocumentName, Entry, NodeId
from threadline_server.rooms.gate import Gate, Verdict
from threadline_server.rooms.gate_limits import DEFAULT_GATE_LIMITS
from threadline_server.rooms.stamps import MESSAGES, SEQ, schema_update, server_client, stamp_update
from threadline_server.rooms.update_reader import MAP, TYPE, Struct, read_update

SCHEMA_VERSION = 1
SERVER = Actor(SERVER_USER, Role.SERVER)

_SEQ_KEY = b"\x03seq"


class Stamper:
    """`highest` is the highest number stamped so far, by any node, as far as this one has seen."""

    __slots__ = ("_client", "_document", "_node", "highest")

    def __init__(self, node: NodeId, document: DocumentName, highest: int) -> None:
        self._node = node
        self._document = document
        self._client = 0
        self.highest = highest

    def stamps(self, gate: Gate, verdict: Verdict, now_ms: int) -> Iterator[Entry]:
        """One entry for each message that `verdict` creates; the gate has them when they are given back."""
        assert verdict.update is not None
        wanted = {key for root, key in verdict.created if root == MESSAGES}
        if not wanted:
            return
        for item in _created_maps(verdict.update, wanted):
            client = self._client_in(gate)
            clock = gate.next_clock(client)
            self.highest += 1
            update, clocks = stamp_update(
                client, clock, (item.client, item.clock), (self.highest, self._node), now_ms
            )
            yield self._entry(gate, update, clocks, now_ms)

    def beginning(self, gate: Gate, now_ms: int) -> Entry:
        """What a new session starts with."""
        client = self._client_in(gate)
        update, clocks = schema_update(client, gate.next_clock(client), SCHEMA_VERSION)
        return self._entry(gate, update, clocks, now_ms)

    def see(self, update: bytes) -> None:
        """Another node, or an earlier load, stamped this."""
        self.highest = max(self.highest, highest_seq(update))

    def _entry(self, gate: Gate, update: bytes, clocks: ClockRange, now_ms: int) -> Entry:
        gate.trust(update, SERVER.user)
        return Entry(SERVER.user, str(SERVER.role), (clocks,), update, now_ms)

    def _client_in(self, gate: Gate) -> int:
        """The node's client id; a random one where a device was so lucky as to write under it first."""
        if not self._client:
            client = server_client(self._node, self._document)
            owner = gate.owner(client)
            self._client = client if owner in (None, SERVER.user) else new_client_id()
        return self._client


def _created_maps(update: bytes, keys: set[str]) -> Iterator[Struct]:
    parsed = read_update(update, DEFAULT_GATE_LIMITS, whole=True, values=False)
    for section in parsed.sections:
        for item in section.structs:
            if item.ref == TYPE and item.type_kind == MAP and item.root == MESSAGES and item.key in keys:
                yield item


def is_stamp(update: bytes) -> bool:
    return _SEQ_KEY in update


def highest_seq(update: bytes) -> int:
    """The highest number stamped in `update`, which the server wrote; 0 where there is none."""
    parsed = read_update(update, DEFAULT_GATE_LIMITS, whole=True)
    return max((_number_of(item) for section in parsed.sections for item in section.structs), default=0)


def _number_of(item: Struct) -> int:
    if item.key != SEQ or not item.values or not isinstance(item.values[0], list):
        return 0
    number = item.values[0][0]
    return int(number) if isinstance(number, int | float) else 0

"""Gives each message that is created its place in the transcript: the highest number seen plus one, and the
node.
"""

from __future__ import annotations

from typing import Any, Final

from pycrdt import Doc

from threadline.actors import Actor, Role
from threadline.document.session_document import SessionDocument
from threadline.ids import SERVER_USER, new_client_id
from threadline_server.backplane.base import ClockRange, DocumentName, Entry, NodeId
from threadline_server.rooms.gate import Gate, Verdict
from threadline_server.rooms.stamps import MESSAGES, highest_seq, schema_update, server_client, stamp_update

SCHEMA_VERSION: Final = 1
SERVER: Final = Actor(SERVER_USER, Role.SERVER)


class Stamper:
    """`highest` is the highest number stamped so far, by any node, as far as this one has seen."""

    __slots__ = ("_client", "_document", "_node", "highest")

    def __init__(self, node: NodeId, document: DocumentName, highest: int) -> None:
        self._node = node
        self._document = document
        self._client = 0
        self.highest = highest

    def stamp(self, gate: Gate, verdict: Verdict, now_ms: int) -> Entry | None:
        """For the messages that `verdict` creates, in their order; the gate has it when it is given back."""
        messages = verdict.maps.get(MESSAGES)
        if not messages:
            return None
        client = self._client_in(gate)
        first, self.highest = self.highest + 1, self.highest + len(messages)
        update, clocks = stamp_update(client, gate.next_clock(client), messages, first, self._node, now_ms)
        return self._entry(gate, update, clocks, now_ms)

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


def highest_in_document(document: Doc[Any]) -> int:
    """The highest number stamped in a whole document, for when nothing else tells."""
    return SessionDocument(document).messages.highest_seq()

"""Presence of one room, here and on the other nodes."""

from __future__ import annotations

from collections.abc import Iterable

from threadline.errors import ProtocolError
from threadline.protocol.limits import Limits
from threadline_server.backplane.base import DocumentName
from threadline_server.rooms.awareness import Awareness, OwnerOf
from threadline_server.rooms.contributor import Contributor
from threadline_server.rooms.fan_out import broadcast
from threadline_server.rooms.host import Host
from threadline_server.rooms.node_messages import (
    PRESENCE,
    WHO_IS_HERE,
    NodeMessage,
    decode_node_message,
    encode_node_message,
)
from threadline_server.rooms.seat import Seat

_FROM_NODES = Limits(max_awareness_entries=1 << 20)
"""Another node has applied the bounds of the wire to each device; together they may be more."""


class NodePresence:
    """`awareness` is made when somebody announces something: most rooms of agents never do."""

    __slots__ = ("_awareness", "_document", "_host", "_speaker")

    def __init__(self, host: Host, document: DocumentName, speaker: str) -> None:
        self._host = host
        self._document = document
        self._speaker = speaker
        self._awareness: Awareness | None = None

    def __len__(self) -> int:
        return 0 if self._awareness is None else len(self._awareness)

    def ask_nodes(self) -> None:
        """Called when the room opens: others answer with who is with them."""
        self._publish(WHO_IS_HERE, b"")

    def receive(self, contributor: Contributor, data: bytes, owner: OwnerOf) -> bytes | None:
        """As `Awareness.receive`; the flush relays what changed. Raises MalformedFrame."""
        awareness = self._made()
        delayed = awareness.delayed
        answer = awareness.receive(contributor, data, self._host.now_s(), owner)
        self._host.counts.presence_delayed += awareness.delayed - delayed
        return answer

    @property
    def late(self) -> bool:
        """Whether something waits for `release`."""
        return self._awareness is not None and self._awareness.late

    def release(self) -> None:
        """Relay with the next flush what was too much before."""
        if self._awareness is not None:
            self._awareness.release(self._host.now_s())

    def user_of(self, client: int) -> str | None:
        """Whose device announced this client id, None for one that is not here."""
        return None if self._awareness is None else self._awareness.user_of(client)

    def hear(self, payload: bytes) -> None:
        """Another node, or this one, said something. What cannot be read is left aside."""
        try:
            message = decode_node_message(payload)
            if message.speaker.hex() == self._speaker:
                return
            if message.kind == PRESENCE:
                self._made().receive_from_node(message.entries, self._host.now_s(), _FROM_NODES)
            elif ours := self._awareness and self._awareness.ours():
                self._publish(PRESENCE, ours)
        except ProtocolError:
            self._host.counts.malformed += 1

    def everyone(self) -> bytes | None:
        return None if self._awareness is None else self._awareness.everyone()

    def leave(self, contributor: Contributor) -> bool:
        """Whether there is something to flush after it left."""
        if self._awareness is None:
            return False
        self._awareness.leave(contributor)
        return True

    def expire(self) -> bool:
        """Whether there is something to flush."""
        if self._awareness is None:
            return False
        self._awareness.expire(self._host.now_s())
        return True

    def flush(self, seats: Iterable[Seat]) -> None:
        """Tell members and other nodes what changed in this loop turn, once."""
        if self._awareness is None:
            return
        to_nodes = self._awareness.take_to_nodes()
        if to_nodes is not None:
            self._publish(PRESENCE, to_nodes)
        changed = self._awareness.take_changed()
        if changed is not None:
            broadcast(seats, lambda encoder: encoder.awareness(changed))

    def _made(self) -> Awareness:
        if self._awareness is None:
            self._awareness = Awareness(self._host.options)
        return self._awareness

    def _publish(self, kind: int, entries: bytes) -> None:
        message = NodeMessage(kind, bytes.fromhex(self._speaker), entries)
        self._host.backplane.publish(self._document, encode_node_message(message))

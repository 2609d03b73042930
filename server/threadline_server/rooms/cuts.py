"""Where a base may be cut, so that a load takes it a part at a time: 8 MB of keys in one piece keep the
document library busy for half a second, in which everybody on the node would wait.

The parts are updates that say the same one after the other, each of structs of one client id that refer to
nothing that comes later. Finding them costs as much as reading the base anew; so it is done once, where the
base is made, and stored beside it:

    cuts    = deletes count (client clock structs start length)*

All are varUints; `deletes` and `start` are offsets in the base.
"""

from __future__ import annotations

from typing import Final

from threadline.document.rules import SESSION_RULES
from threadline.errors import ProtocolError
from threadline.protocol.varint import Reader, encode_uint
from threadline_server.rooms.delete_set import DeleteParts
from threadline_server.rooms.gate import NO_OWNER, Gate
from threadline_server.rooms.trust import Trust
from threadline_server.rooms.turns import FOR_EVER
from threadline_server.rooms.update_writer import NO_DELETES

NO_CUTS: Final = b""


def find_cuts(base: bytes) -> bytes:
    """`NO_CUTS` where it can only be had in one piece."""
    try:
        trust = Trust(Gate(SESSION_RULES), base, NO_OWNER)
        trust.advance(FOR_EVER)
    except ProtocolError:  # one of an application's rules, which say other things
        return NO_CUTS
    assert trust.verdict is not None
    parts = trust.verdict.parts
    if parts is None or any(piece.changes for piece in parts.pieces):
        return NO_CUTS
    pieces = parts.pieces
    cuts = [encode_uint(max(piece.data_end for piece in pieces)), encode_uint(len(pieces))]
    for piece in pieces:
        length = piece.data_end - piece.data_start
        for number in (piece.client, piece.clock, piece.count, piece.data_start, length):
            cuts.append(encode_uint(number))  # noqa: PERF401  (a loop compiles)
    return b"".join(cuts)


class BaseParts:
    """The parts of a base, in order."""

    __slots__ = ("_base", "_cuts", "_deletes", "_pieces")

    def __init__(self, base: bytes, cuts: bytes) -> None:
        """Raises MalformedFrame."""
        self._base: bytes = base
        self._cuts: Reader = Reader(cuts)
        self._deletes: DeleteParts = DeleteParts(base, self._cuts.read_uint())
        self._pieces: int = self._cuts.read_uint()

    def next(self) -> bytes | None:
        """The next part; None after the last. Raises MalformedFrame."""
        if not self._pieces:
            return self._deletes.next()
        self._pieces -= 1
        cuts = self._cuts
        client, clock, structs = cuts.read_uint(), cuts.read_uint(), cuts.read_uint()
        start, length = cuts.read_uint(), cuts.read_uint()
        head = (b"\x01", encode_uint(structs), encode_uint(client), encode_uint(clock))
        return b"".join((*head, self._base[start : start + length], NO_DELETES))

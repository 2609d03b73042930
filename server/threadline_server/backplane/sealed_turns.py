"""Turns on their way through the backplane that seals: sealed for what is around, open for the rooms."""

from __future__ import annotations

from mypy_extensions import mypyc_attr

from threadline_server.backplane.base import Append, DocumentName, Entry, LoggedTurn, Turn
from threadline_server.backplane.cipher import Cipher


@mypyc_attr(acyclic=True)
class SealedTurn(Turn):
    """One that was sealed here and remembers what it was made of, so that it need not be opened for those of
    this process who follow the document. To a store it is the turn that it reads back.
    """

    __slots__ = ("plain",)

    def __init__(self, plain: Turn, entries: tuple[Entry, ...]) -> None:
        super().__init__(plain.node, plain.epoch, entries)
        self.plain: Turn = plain

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Turn):
            return NotImplemented
        return self.node == other.node and self.epoch == other.epoch and self.entries == other.entries

    def __hash__(self) -> int:
        return hash((self.node, self.epoch, self.entries))


def seal(cipher: Cipher, append: Append) -> None:
    """Let a store have `append` sealed only."""
    context = append.document.encode()
    turn = append.turn
    entries = tuple([_with(entry, cipher.seal(entry.update, context)) for entry in turn.entries])
    append.stored = SealedTurn(turn, entries)


def open_turn(cipher: Cipher, document: DocumentName, logged: LoggedTurn) -> LoggedTurn:
    """Raises StoreError."""
    turn = logged.turn
    if isinstance(turn, SealedTurn):
        return LoggedTurn(logged.position, turn.plain)
    context = document.encode()
    entries = tuple([_with(entry, cipher.open(entry.update, context)) for entry in turn.entries])
    return LoggedTurn(logged.position, Turn(turn.node, turn.epoch, entries))


def _with(entry: Entry, update: bytes) -> Entry:
    return Entry(entry.user, entry.role, entry.ranges, update, entry.at_ms)

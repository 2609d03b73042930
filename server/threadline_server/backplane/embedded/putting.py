"""Puts large turns down: see `large_turns`."""

from __future__ import annotations

from contextlib import suppress

from threadline.errors import StoreError
from threadline_server.background import run_in_background
from threadline_server.backplane.base import Append
from threadline_server.backplane.embedded import large_turns
from threadline_server.backplane.embedded.connections import Connections
from threadline_server.backplane.embedded.large_turns import PutDown, hash_of
from threadline_server.backplane.turn_bytes import encode_turn


class Putting:
    """`next_number` is the first that no turn has."""

    def __init__(self, connections: Connections, next_number: int) -> None:
        self._connections = connections
        self._next_number = next_number

    async def number(self, append: Append) -> tuple[PutDown, bytes]:
        """What the turn will be once `write` has written it, and its bytes."""
        turn, turn_hash = await run_in_background(_encode, append)
        number, self._next_number = self._next_number, self._next_number + 1
        return PutDown(number, len(turn), turn_hash), turn

    async def write(self, down: PutDown, turn: bytes) -> None:
        """All parts of it, those that are there already too. Raises StoreError."""
        await self._connections.write(large_turns.begin, down.number)
        for place, data in enumerate(large_turns.parts_of(turn)):
            await self._connections.write_in_background(large_turns.put_part, down.number, place, data)

    async def drop(self, number: int) -> None:
        """What cannot be deleted now is at the next start."""
        with suppress(StoreError):
            await self._connections.write(large_turns.drop, (number,))


def _encode(append: Append) -> tuple[bytes, int]:
    turn = encode_turn(append.stored, append.document)
    return turn, hash_of(turn)

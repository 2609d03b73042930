"""One update that the log has, taken by the gate unjudged, a little at a time as a `Hearing` goes.

read -> integrated -> deletions -> verdict
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from threadline_server.rooms.passage import Passage
from threadline_server.rooms.update_reader import MalformedUpdate, Reading

if TYPE_CHECKING:
    from threadline_server.rooms.gate import Gate

_AT_ONCE: Final = 64
"""Structs between two looks at the clock, which take some 50 us."""


class Trust(Passage):
    """`step` raises MalformedUpdate where it is no update, or something before it is missing: the gate is of
    no use then.
    """

    __slots__ = ("_gate", "_user")

    def __init__(self, gate: Gate, update: bytes, user: str, reading: Reading | None = None) -> None:
        """`reading` is of `update`, where it was read before. Raises MalformedUpdate."""
        super().__init__(reading or Reading(update, gate.limits, whole=True, values=False))
        self._gate: Gate = gate
        self._user: str = user

    def step(self) -> bool:
        admission = self._admission
        if admission is None:
            if self._reading.advance(_AT_ONCE):
                self._admission = self._gate.begin_trusting(self._reading.parsed, self._user)
            return False
        if not admission.advance(_AT_ONCE):
            return False
        verdict = admission.verdict
        if verdict is None or verdict.gap:
            raise MalformedUpdate("an update of the log refers to what the log does not have")
        self.verdict = verdict
        return True

    @property
    def sound(self) -> bool:
        """See `Admission`."""
        return self._admission is not None and self._admission.sound

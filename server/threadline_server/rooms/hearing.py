"""One update before the gate, a little at a time.

    read -> chains joined, read again -> integrated and judged -> deletions -> verdict

What introduces too many client ids is refused as soon as so many were read.

An update that is as large as one may be takes the gate a fifth of a second, and whoever drives a hearing may
do other things meanwhile, as long as nothing else is brought to that gate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from threadline.actors import Actor
from threadline.errors import Refused
from threadline_server.rooms.admission import Admission
from threadline_server.rooms.chains import Joining
from threadline_server.rooms.passage import Passage
from threadline_server.rooms.update_reader import Reading, malformed

if TYPE_CHECKING:
    from threadline_server.rooms.gate import Gate

Reserved: TypeAlias = Callable[[int], str | None]
"""The user for whom a client id is kept that has not written yet, None where it is anybody's."""

_READ_AT_ONCE: Final = 64
_JOINED_AT_ONCE: Final = 256
_JUDGED_AT_ONCE: Final = 16
"""Structs between two looks at the clock, which take some 50 us."""

_TOO_MANY_NEW: Final = "the update introduces too many client ids"


class Hearing(Passage):
    """An update is taken whole or not at all.

    Where `step` raises MalformedUpdate or Refused, the gate is as it was before.
    """

    __slots__ = (
        "_actor",
        "_gate",
        "_joining",
        "_looked_at",
        "_new_clients",
        "_reserved",
        "_rewritten",
        "_whole",
    )

    def __init__(
        self, gate: Gate, update: bytes, actor: Actor, *, whole: bool, reserved: Reserved | None
    ) -> None:
        """Raises MalformedUpdate."""
        super().__init__(Reading(update, gate.limits, whole=whole))
        self._gate: Gate = gate
        self._actor: Actor = actor
        self._whole: bool = whole
        self._reserved: Reserved | None = reserved
        self._rewritten: bool = False
        self._looked_at: int = 0
        self._new_clients: int = 0
        self._joining: Joining | None = None

    def step(self) -> bool:
        if self._admission is not None:
            return self._judge(self._admission)
        if self._joining is not None:
            self._join(self._joining)
        elif self._read():
            if self._rewritten:
                self._go_in()
            else:
                self._joining = Joining(self._reading.parsed)
        return False

    def _read(self) -> bool:
        ended = self._reading.advance(_READ_AT_ONCE)
        if not self._rewritten:
            sections = self._reading.parsed.sections
            self._count_new_clients(len(sections) if ended else len(sections) - 1)
        return ended

    def _count_new_clients(self, through: int) -> None:
        """Of sections that were read to their end."""
        sections = self._reading.parsed.sections
        while self._looked_at < through:
            section = sections[self._looked_at]
            self._looked_at += 1
            if section.structs and section.structs[0].clock == 0 and self._gate.is_new(section.client):
                self._new_clients += 1
        if self._new_clients <= self._gate.limits.max_new_clients:
            return
        if self._whole:  # another node may know them
            raise Refused(f"client/{sections[through - 1].client}", _TOO_MANY_NEW)
        malformed(_TOO_MANY_NEW)

    def _join(self, joining: Joining) -> None:
        """Look for chains; what was written anew for them is read anew."""
        if not joining.advance(_JOINED_AT_ONCE):
            return
        self._joining = None
        if joining.joined is None:
            self._go_in()
        else:
            self._rewritten = True
            self._reading = Reading(joining.joined, self._gate.limits, whole=self._whole)

    def _go_in(self) -> None:
        """To the index, with what was read."""
        parsed = self._reading.parsed
        self._admission = self._gate.begin(parsed, self._actor, whole=self._whole, reserved=self._reserved)

    def _judge(self, admission: Admission) -> bool:
        try:
            if not admission.advance(_JUDGED_AT_ONCE):
                return False
        except BaseException:
            self._gate.undo()
            raise
        self.verdict = admission.verdict
        self._gate.keep()
        return True

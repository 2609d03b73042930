"""What a room remembers of one member."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from threadline.actors import Actor, Role
from threadline.protocol.close_codes import REPLICA_REJECTED, CloseCode
from threadline_server.rooms.member import Encoder, Member
from threadline_server.rooms.replica import Replica

NOT_SYNCED: Final = b""
"""No state vector: the member has not said what it holds, so it is sent nothing."""

NO_MARK: Final = (1 << 62) - 1
"""After every mark: of another replica than the room's."""

_MAX_EXPECTED: Final = 16


class Seat:
    """A contributor: a member, and how far it is along. `encoder` and `write` are the member's.

    behind:    the state vector it has reached, None while it keeps up
    mark:      the replica's mark at that moment
    unsaved:   acknowledgements held back while it is behind
    owed:      messages it must not count as saved, because something before them is missing
    expected:  for each step 1 on its way, whether the device counts its answer as something to acknowledge
    asked_s:   when it was last asked for what is missing
    """

    __slots__ = ("asked_s", "behind", "encoder", "expected", "mark", "member", "owed", "unsaved", "write")

    def __init__(self, member: Member) -> None:
        self.member = member
        self.encoder: Encoder = member.encoder
        self.write: Callable[[bytes], None] = member.write
        self.behind: bytes | None = NOT_SYNCED
        self.mark: int = NO_MARK
        self.unsaved = 0
        self.owed = 0
        self.expected: tuple[bool, ...] = ()
        self.asked_s = 0.0

    def fall_behind(self, replica: Replica) -> None:
        """It has all of `replica` as it is now, and is sent nothing until it drains."""
        self.behind = replica.state_vector()
        self.mark = replica.mark

    @property
    def actor(self) -> Actor:
        return self.member.actor

    def acknowledge(self, count: int) -> None:
        if self.behind is not None and self.member.congested:
            self.unsaved += count
        elif data := self.encoder.saved(count):
            self.write(data)

    def decline(self, *, whole: bool) -> bool:
        """A viewer reads on, as with other servers: stock clients let people type into what they read."""
        if self.actor.role is not Role.VIEWER:
            return False
        self.settle(whole=whole, gap=False)
        if not self.member.congested and (refused := self.encoder.refused()):
            self.write(refused)
        return True

    def end(self, close: CloseCode, detail: str = "") -> None:
        if close is REPLICA_REJECTED and (refused := self.encoder.refused()):
            self.write(refused)
        self.member.close_document(close.code, close.reason(detail))

    def hold(self, held: bool) -> None:
        self.member.hold(held)

    def expect(self, *, counted: bool) -> None:
        self.expected = (*self.expected, counted)[-_MAX_EXPECTED:]

    def settle(self, *, whole: bool, gap: bool) -> int:
        """As the base says; `whole` means a step 2.

        Hocuspocus' provider counts each update it sends and the first step 2 after each of its own step 1,
        but not the answers to a step 1 that the server sent unasked. So an update with a gap is worth none,
        and the step 2 that fills the gap settles it.
        """
        worth = 1
        if whole and self.expected:
            worth = int(self.expected[0])
            self.expected = self.expected[1:]
        if gap:
            self.owed += worth
            return 0
        if whole:
            worth += self.owed
            self.owed = 0
        return worth if self.encoder.acknowledges else 0

"""The part of a room that is not durable yet: drafts, one turn on its way, turns taken but not synced.

Bounded: above `pause_bytes` whoever writes is held, above `refuse_bytes` sent away (`Room` does both).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from threadline.actors import Actor
from threadline_server.backplane.base import Entry, Fence
from threadline_server.rooms.contributor import Contributor
from threadline_server.rooms.draft import Draft, Outgoing
from threadline_server.rooms.update_writer import Parts
from threadline_server.rooms.verdict import NOTHING_CREATED, Created, Verdict


class Tail:
    """Drafts leave in order, the next when the log has taken the last; turns become durable in order."""

    __slots__ = ("_drafts", "_unapplied", "in_flight", "size", "undurable")

    def __init__(self) -> None:
        self._drafts: list[Draft] = []
        self._unapplied: list[Outgoing] = []  # sent, and not yet in the replica
        self.in_flight: Outgoing | None = None
        self.undurable: list[Outgoing] = []
        self.size = 0

    @property
    def settled(self) -> bool:
        """The log has taken everything that was written here, and the replica has it."""
        return not self._drafts and not self._unapplied

    @property
    def durable(self) -> bool:
        return not self._drafts and not self.undurable

    @property
    def ready(self) -> bool:
        """There is a draft, and nothing before it on its way."""
        return bool(self._drafts) and self.in_flight is None

    def add(
        self,
        entry: Entry,
        sender: Contributor | None,
        fence: Fence | None = None,
        created: Created = NOTHING_CREATED,
        parts: Parts | None = None,
    ) -> None:
        """Put an accepted entry at the end."""
        self._draft(fence).add(entry, sender, created, parts)
        self.size += len(entry.update)

    def type(
        self,
        verdict: Verdict,
        sender: Contributor,
        actor: Actor,
        fence: Fence | None,
        now_ms: Callable[[], int],
    ) -> None:
        """Put an accepted string at the end, joined with the string before it where that is possible."""
        assert verdict.update is not None
        self._draft(fence).type(verdict, sender, actor, now_ms)
        self.size += len(verdict.update)

    def _draft(self, fence: Fence | None) -> Draft:
        """The newest draft. A fence covers a whole turn: another one starts a new turn."""
        draft = self._drafts[-1] if self._drafts else None
        if draft is None or (draft.fence is not fence and draft.fence != fence):
            draft = Draft(fence)
            self._drafts.append(draft)
        return draft

    def owe(self, contributor: Contributor, count: int) -> bool:
        """Acknowledge `count` messages when all that is here now is durable. False: it is already."""
        if self._drafts:
            self._drafts[-1].owe(contributor, count)
        elif self.undurable:
            self.undurable[-1].draft.owe(contributor, count)
        else:
            return False
        return True

    def next_draft(self) -> Draft:
        return self._drafts.pop(0)

    def send(self, outgoing: Outgoing) -> None:
        self.in_flight = outgoing
        self.undurable.append(outgoing)
        self._unapplied.append(outgoing)

    def next_to_apply(self) -> Outgoing:
        """What `applied` will give."""
        return self._unapplied[0]

    def applied(self) -> Outgoing:
        """The oldest turn of ours that the replica does not have: it has it now."""
        return self._unapplied.pop(0)

    def taken(self) -> None:
        self.in_flight = None

    def synced(self, outgoing: Outgoing) -> None:
        """`outgoing` is durable; the log says so in order."""
        assert self.undurable, "only what was sent becomes durable"
        oldest = self.undurable.pop(0)
        assert oldest is outgoing, "turns become durable in order"
        self.size -= outgoing.draft.size

    def withdraw(self) -> list[Draft]:
        """Take back everything that the log has not taken, in order."""
        withdrawn = self._drafts
        if self.in_flight is not None:
            assert self.undurable, "what is in flight is not durable"
            self.undurable.pop()
            self._unapplied.remove(self.in_flight)
            withdrawn = [self.in_flight.draft, *withdrawn]
            self.in_flight = None
        self._drafts = []
        self.size -= sum(draft.size for draft in withdrawn)
        return withdrawn

    def abandon(self) -> None:
        """Nothing that is drafted goes into the log any more."""
        self.size -= sum(draft.size for draft in self._drafts)
        self._drafts = []

    def forget(self, contributor: Contributor) -> None:
        """It is gone: nothing is to be acknowledged to it."""
        for draft in self._all():
            draft.forget(contributor)

    def _all(self) -> Iterator[Draft]:
        yield from self._drafts
        for outgoing in self.undurable:
            yield outgoing.draft

"""What a room has accepted and not yet handed to the log: the next turn, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from threadline_server.backplane.base import Append, Entry, Fence
from threadline_server.rooms.contributor import Contributor

Created = tuple[str, str]
"""(root, key) of a top-level entry, as the gate names it."""


class Draft:
    """One turn in the making. `senders[i]` brought `entries[i]`, None for the server itself.

    `acknowledgements` counts, per contributor, the messages that are settled once this turn is durable; those
    that brought only known things wait with the newest turn that is not durable yet.
    """

    __slots__ = ("acknowledgements", "created", "entries", "fence", "senders", "size")

    def __init__(self, fence: Fence | None = None) -> None:
        self.fence = fence
        self.entries: list[Entry] = []
        self.senders: list[Contributor | None] = []
        self.created: list[Created] = []
        self.acknowledgements: dict[Contributor, int] = {}
        self.size = 0

    def add(self, entry: Entry, sender: Contributor | None, created: Sequence[Created] = ()) -> None:
        self.entries.append(entry)
        self.senders.append(sender)
        self.size += len(entry.update)
        if created:
            self.created.extend(created)

    def owe(self, contributor: Contributor, count: int) -> None:
        self.acknowledgements[contributor] = self.acknowledgements.get(contributor, 0) + count


@dataclass(slots=True, eq=False)
class Outgoing(Append):
    """A draft on its way through the log."""

    draft: Draft = field(kw_only=True)

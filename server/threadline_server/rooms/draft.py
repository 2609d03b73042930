"""What a room has accepted and not yet handed to the log: the next turn, and what it answers."""

from __future__ import annotations

from collections.abc import Callable

from mypy_extensions import mypyc_attr

from threadline.actors import Actor
from threadline_server.backplane.base import (
    Append,
    AppendRefused,
    DocumentName,
    Entry,
    Fence,
    Position,
    Turn,
)
from threadline_server.rooms.contributor import Contributor
from threadline_server.rooms.stretch import Stretch
from threadline_server.rooms.turn_trace import TurnTrace
from threadline_server.rooms.update_writer import Parts
from threadline_server.rooms.verdict import NOTHING_CREATED, Created, Verdict


@mypyc_attr(acyclic=True)
class Draft:
    """One turn in the making. `senders[i]` brought `entries[i]`, None for the server itself. What a sender
    typed without anything in between is one entry.

    `acknowledgements` counts, per contributor, the messages that are settled once this turn is durable; those
    that brought only known things wait with the newest turn that is not durable yet. `parts` are those of
    entries that are large, by their place. Both, and `created`, are None where there are none.

    The cycle collector does not look at drafts: each is let go of when it is durable, or was refused.
    """

    __slots__ = ("_entries", "_stretch", "acknowledgements", "created", "fence", "parts", "senders", "size")

    def __init__(self, fence: Fence | None = None) -> None:
        self.fence = fence
        self._entries: list[Entry] = []
        self._stretch: Stretch | None = None
        self.senders: list[Contributor | None] = []
        self.created: dict[str, list[str]] | None = None
        self.parts: dict[int, Parts] | None = None
        self.acknowledgements: dict[Contributor, int] | None = None
        self.size = 0

    @property
    def entries(self) -> list[Entry]:
        if self._stretch is not None:
            self._entries[-1] = self._stretch.entry
        return self._entries

    def type(self, verdict: Verdict, sender: Contributor, actor: Actor, now_ms: Callable[[], int]) -> None:
        """Take an update that is one string (see `Verdict`), if it can be with the string before it."""
        assert verdict.update is not None
        stretch = self._stretch
        if stretch is not None and self.senders[-1] is sender and stretch.take(verdict):
            self.size += len(verdict.update)
            return
        stretch = Stretch(verdict, actor.user, str(actor.role), now_ms())
        self.add(stretch.entry, sender)
        self._stretch = stretch

    def add(
        self,
        entry: Entry,
        sender: Contributor | None,
        created: Created = NOTHING_CREATED,
        parts: Parts | None = None,
    ) -> None:
        if self._stretch is not None:
            self._entries[-1] = self._stretch.entry
            self._stretch = None
        if parts is not None:
            if self.parts is None:
                self.parts = {}
            self.parts[len(self._entries)] = parts
        self._entries.append(entry)
        self.senders.append(sender)
        self.size += len(entry.update)
        if created:
            self._create(created)

    def _create(self, created: Created) -> None:
        if self.created is None:
            self.created = {}
        for root, keys in created.items():
            self.created.setdefault(root, []).extend(keys)

    def owe(self, contributor: Contributor, count: int) -> None:
        if self.acknowledgements is None:
            self.acknowledgements = {}
        self.acknowledgements[contributor] = self.acknowledgements.get(contributor, 0) + count

    def shed(self) -> None:
        """The log and the members have it: all that is needed until it is durable is who waits for that."""
        self._entries.clear()
        self.senders.clear()
        self._stretch = self.created = self.parts = None

    def forget(self, contributor: Contributor) -> None:
        """Nothing is to be acknowledged to it."""
        if self.acknowledgements is not None:
            self.acknowledgements.pop(contributor, None)


@mypyc_attr(acyclic=True)
class Outgoing(Append):
    """A draft on its way through the log, which has `taken` it or not yet. `handed_s` is when it was handed
    over, 0 where nobody asks; `trace` has more of its times where traces are kept.
    """

    __slots__ = ("draft", "handed_s", "taken", "trace")

    def __init__(
        self,
        document: DocumentName,
        lineage: str,
        turn: Turn,
        on_taken: Callable[[Append, Position], None],
        on_durable: Callable[[Append], None],
        on_refused: Callable[[Append, AppendRefused], None],
        draft: Draft,
    ) -> None:
        super().__init__(document, lineage, turn, on_taken, on_durable, on_refused, draft.fence)
        self.draft: Draft = draft
        self.handed_s: float = 0.0
        self.taken: bool = False
        self.trace: TurnTrace | None = None

    @property
    def awaited(self) -> bool:
        return bool(self.draft.acknowledgements)

"""The order of a transcript, kept up to date by what changes instead of being read anew from ten thousand
messages.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, TypeAlias

from threadline.document.shared_map import SharedMap

Place: TypeAlias = tuple[int, int, str]
"""A sort key: stamped or not, number or time, node."""

ReadPlace: TypeAlias = Callable[[str], tuple[Place, bool] | None]
"""The place of an entry and whether it is shown; None for an entry that is no message."""

_RELEVANT = frozenset({"seq", "status", "role", "author", "created_at", "text"})


class TranscriptOrder:
    """Ids of messages in order, following the map from the first question on.

    `touch` tells of a change in an open transaction, which is not announced before its end.
    """

    def __init__(self, entries: SharedMap, read_place: ReadPlace) -> None:
        self._map = entries
        self._read_place = read_place
        self._known: dict[str, tuple[Place, bool]] = {}
        self._changed: set[str] = set()
        self._all: list[str] = []
        self._shown: list[str] = []
        self._subscription: Any = None

    def ids(self, *, hidden: bool = False) -> list[str]:
        """Those that are shown, or all with `hidden`. The list is the caller's own."""
        self._refresh()
        return list(self._all if hidden else self._shown)

    def touch(self, message_id: str) -> None:
        self._changed.add(message_id)

    def _refresh(self) -> None:
        if self._subscription is None:
            self._follow()
        if not self._changed:
            return
        changed, self._changed = self._changed, set()
        with self._map.doc.transaction():
            for message_id in changed:
                found = self._read_place(message_id)
                if found is None:
                    self._known.pop(message_id, None)
                else:
                    self._known[message_id] = found
        self._all = sorted(self._known, key=lambda message_id: (self._known[message_id][0], message_id))
        self._shown = [message_id for message_id in self._all if self._known[message_id][1]]

    def _follow(self) -> None:
        itself = weakref.ref(self)

        def note(events: list[Any]) -> None:
            order = itself()
            if order is not None:
                order._note(events)

        self._subscription = self._map.observe_deep(note)
        self._changed.update(self._map.keys())

    def _note(self, events: list[Any]) -> None:
        """Called inside a commit: it must not raise, and only remembers."""
        for event in events:
            path = event.path
            if not path:
                self._changed.update(event.keys)
            elif len(path) == 1 and not _RELEVANT.isdisjoint(getattr(event, "keys", ())):
                self._changed.add(str(path[0]))

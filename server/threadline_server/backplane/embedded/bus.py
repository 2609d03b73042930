"""What goes round inside the process: turns to followers, run hints to whoever waits for them.

One process is one node, so what is published for *other* nodes has nobody to go to here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from threadline.ids import SessionId, split_document_name
from threadline_server.backplane.base import DocumentName, LoggedTurn, RunHint
from threadline_server.backplane.follower import Follower

MAX_HINTS = 1_000


class Feeds:
    """The followers of each document."""

    def __init__(self) -> None:
        self._followers: dict[DocumentName, list[Follower]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._followers.values()))

    def __contains__(self, document: DocumentName) -> bool:
        return document in self._followers

    def add(self, follower: Follower) -> None:
        self._followers.setdefault(follower.document, []).append(follower)

    def remove(self, follower: Follower) -> None:
        followers = self._followers.get(follower.document, [])
        if follower in followers:
            followers.remove(follower)
        if not followers:
            self._followers.pop(follower.document, None)

    def of(self, document: DocumentName) -> tuple[Follower, ...]:
        return tuple(self._followers.get(document, ()))

    def deliver(self, document: DocumentName, turn: LoggedTurn) -> None:
        for follower in self.of(document):
            follower.offer(turn)

    def deleted(self, session: SessionId) -> None:
        """Tell the followers of every document of a session that it is gone."""
        for document in [name for name in self._followers if split_document_name(name)[0] == session]:
            for follower in self.of(document):
                follower.delete()


class Hints:
    """Run hints for whoever iterates; each of them gets every hint, the oldest are dropped past the bound."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[RunHint]] = set()

    def give(self, hint: RunHint) -> None:
        for waiting in self._queues:
            if waiting.full():
                waiting.get_nowait()
            waiting.put_nowait(hint)

    async def iterate(self) -> AsyncIterator[RunHint]:
        waiting: asyncio.Queue[RunHint] = asyncio.Queue(MAX_HINTS)
        self._queues.add(waiting)
        try:
            while True:
                yield await waiting.get()
        finally:
            self._queues.discard(waiting)


class NothingToHear:
    """A subscription of what other nodes publish, where there are none."""

    def close(self) -> None:
        return

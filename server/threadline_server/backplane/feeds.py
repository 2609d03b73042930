"""The followers of a node's documents: who is told of a turn, and who of a deletion."""

from __future__ import annotations

from collections.abc import Iterator

from threadline.ids import SessionId, split_document_name
from threadline_server.backplane.base import DocumentName, LoggedTurn
from threadline_server.backplane.follower import Follower


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

    def __iter__(self) -> Iterator[DocumentName]:
        return iter(self._followers)

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

"""The followers of a node's documents: who is told of a turn, and who of a deletion."""

from __future__ import annotations

from collections.abc import Iterator

from threadline.ids import SessionId, split_document_name
from threadline_server.backplane.base import DocumentName, LoggedTurn
from threadline_server.backplane.follower import Follower


class Feeds:
    """The followers of each document, and the followed documents of each session."""

    def __init__(self) -> None:
        self._followers: dict[DocumentName, list[Follower]] = {}
        self._documents: dict[SessionId, set[DocumentName]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._followers.values()))

    def __contains__(self, document: DocumentName) -> bool:
        return document in self._followers

    def __iter__(self) -> Iterator[DocumentName]:
        return iter(self._followers)

    def add(self, follower: Follower) -> None:
        document = follower.document
        self._followers.setdefault(document, []).append(follower)
        self._documents.setdefault(split_document_name(document)[0], set()).add(document)

    def remove(self, follower: Follower) -> None:
        document = follower.document
        followers = self._followers.get(document, [])
        if follower in followers:
            followers.remove(follower)
            if not followers:
                self._forget(document)

    def _forget(self, document: DocumentName) -> None:
        del self._followers[document]
        session = split_document_name(document)[0]
        self._documents[session].discard(document)
        if not self._documents[session]:
            del self._documents[session]

    def of(self, document: DocumentName) -> tuple[Follower, ...]:
        return tuple(self._followers.get(document, ()))

    def of_session(self, session: SessionId) -> tuple[Follower, ...]:
        documents = self._documents.get(session, ())
        return tuple(follower for document in documents for follower in self._followers[document])

    def deliver(self, document: DocumentName, turn: LoggedTurn) -> None:
        followers = self._followers.get(document, ())
        if len(followers) == 1:
            followers[0].offer(turn)
        else:
            for follower in tuple(followers):
                follower.offer(turn)

    def deleted(self, session: SessionId) -> None:
        """Tell the followers of every document of a session that it is gone."""
        for follower in self.of_session(session):
            follower.delete()

"""A session through time: what it was after every change of its log."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pycrdt import Doc

from threadline.document.session_document import SessionDocument
from threadline.errors import SessionError
from threadline.session import Session


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """What one user wrote in one turn. `at` is in Unix milliseconds."""

    at: int
    user: str
    update: bytes


@dataclass(frozen=True, slots=True)
class SessionLog:
    """Positions count changes: 0 is before the first that the log still tells apart, its length the end."""

    session_id: str
    base: bytes | None
    changes: tuple[LoggedChange, ...]

    @classmethod
    def from_json(cls, session_id: str, given: Mapping[str, Any]) -> SessionLog:
        """As `GET /replay` tells it."""
        base = given["base"]
        return cls(
            session_id,
            None if base is None else b64decode(base),
            tuple(LoggedChange(c["at"], c["user"], b64decode(c["update"])) for c in given["changes"]),
        )

    def __len__(self) -> int:
        return len(self.changes)

    def at(self, position: int) -> Session:
        """The session as it was then, to be read; negative positions count from the end, -1 being the end.

        Raises SessionError for a position that the log has not.
        """
        place = len(self) + 1 + position if position < 0 else position
        if not 0 <= place <= len(self):
            raise SessionError(
                f"The log of {self.session_id} has {len(self)} changes; {position} is no position in it.",
                session_id=self.session_id,
                code="no_such_moment",
            )
        doc: Doc[Any] = Doc()
        for update in (self.base, *(change.update for change in self.changes[:place])):
            if update is not None:
                doc.apply_update(update)
        return Session.over(SessionDocument(doc), session_id=self.session_id)

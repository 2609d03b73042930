"""Sessions whose data could not be loaded several times in a row are refused for a while, and the node lives
on.
"""

from __future__ import annotations

from collections.abc import Callable

from threadline.errors import SessionError
from threadline_server.backplane.base import DocumentName
from threadline_server.rooms.options import RoomOptions

_MAX_BLAMED = 10_000


class Quarantine:
    """`now_s` is a monotonic clock in seconds."""

    def __init__(self, options: RoomOptions, now_s: Callable[[], float]) -> None:
        self._options = options
        self._now_s = now_s
        self._failures: dict[DocumentName, int] = {}
        self._until: dict[DocumentName, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    def check(self, document: DocumentName) -> None:
        """Raises SessionError with code `quarantined`. After its time is over, one more attempt is let
        through.
        """
        until = self._until.get(document)
        if until is None:
            return
        if self._now_s() < until:
            raise _set_aside(document)
        del self._until[document]

    def blame(self, document: DocumentName) -> None:
        """Its data could not be read."""
        failures = self._failures.pop(document, 0) + 1
        if len(self._failures) >= _MAX_BLAMED:
            del self._failures[next(iter(self._failures))]
        self._failures[document] = failures
        if failures >= self._options.load_attempts:
            self._until[document] = self._now_s() + self._options.quarantine_s

    def condemn(self, document: DocumentName) -> SessionError:
        """Its data ended a process, or is not what was written: refused at once, with what is given back."""
        self._failures[document] = self._options.load_attempts
        self.blame(document)
        return _set_aside(document)

    def forgive(self, document: DocumentName) -> None:
        """It was loaded, or repaired."""
        self._failures.pop(document, None)
        self._until.pop(document, None)


def _set_aside(document: DocumentName) -> SessionError:
    return SessionError(
        f"{document} cannot be read safely and is set aside.", session_id=document, code="quarantined"
    )

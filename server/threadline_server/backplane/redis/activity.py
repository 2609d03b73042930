"""Which sessions were written to since the catalogue was told, and when."""

from __future__ import annotations

from threadline.ids import SessionId


class Activity:
    def __init__(self) -> None:
        self._at_ms: dict[SessionId, int] = {}

    def __contains__(self, session: SessionId) -> bool:
        return session in self._at_ms

    def note(self, session: SessionId, at_ms: int) -> None:
        """It was written to, at `at_ms` by the clock of the node."""
        self._at_ms[session] = at_ms

    def take(self) -> list[tuple[SessionId, int]]:
        """All of it, to be told to the catalogue."""
        taken = list(self._at_ms.items())
        self._at_ms.clear()
        return taken

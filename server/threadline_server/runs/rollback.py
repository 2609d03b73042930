"""Taking back what a run has changed of the state. What others have changed since stays as it is."""

from __future__ import annotations

from typing import Any

from pycrdt import Doc, Map, UndoManager


class Rollback:
    """Made before the run writes anything; it remembers the run's own edits, not those that arrive from
    others.

    Those are told apart by their origin: replicas apply what arrives under one, and edits made here have
    none.
    """

    def __init__(self, doc: Doc[Any]) -> None:
        self._edits = UndoManager(scopes=[doc.get("state", type=Map)], capture_timeout_millis=0)

    def take_back(self) -> None:
        """The newest first. Must be called outside of a transaction."""
        while self._edits.undo():
            pass

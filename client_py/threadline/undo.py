"""Taking back one's own last edits, whatever others did since.

State is undone by pycrdt's UndoManager, which knows this replica's edits by their origin and leaves a key
alone that somebody else has set later. A message is taken back by its status, because it may not be removed
from a shared session.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pycrdt import Doc, Map, UndoManager

ORIGIN = "threadline.session"
"""The origin of transactions that can be undone."""

MAX_STEPS = 1_000


class UndoStack:
    """Steps of one replica, the newest last. Made and used outside of transactions of the document."""

    def __init__(self, doc: Doc[Any]) -> None:
        self._doc = doc
        self._state = UndoManager(scopes=[doc.get("state", type=Map)], capture_timeout_millis=0)
        self._state.include_origin(ORIGIN)
        # A manager must not go while its document is read, which others may do when the session is gone; so
        # the two go together.
        vars(doc).setdefault("_undo_managers", []).append(self._state)
        self._steps: deque[Callable[[], bool]] = deque(maxlen=MAX_STEPS)

    def __len__(self) -> int:
        return len(self._steps)

    @contextmanager
    def edit(self) -> Iterator[None]:
        """One step: everything that is set or deleted in the state meanwhile."""
        if self._doc._txn is not None:
            yield
            return
        before = len(self._state.undo_stack)
        with self._doc.transaction(origin=ORIGIN):
            yield
        if len(self._state.undo_stack) > before:
            self._steps.append(self._state.undo)

    def remember(self, take_back: Callable[[], bool]) -> None:
        """A step with its own way back."""
        self._steps.append(take_back)

    def undo(self) -> bool:
        """Take back the last step that still has an effect. False where there is none."""
        while self._steps:
            if self._steps.pop()():
                return True
        return False

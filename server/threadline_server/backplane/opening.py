"""Following a document through the backplane that seals: its turns are opened on their way to the room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from threadline.errors import StoreError
from threadline_server.backplane.base import DocumentName, Following, LoggedTurn
from threadline_server.backplane.cipher import Cipher
from threadline_server.backplane.sealed_turns import open_turn

MAX_EARLY_TURNS: Final = 10_000


class Opening:
    """A following of sealed turns. Until the key is there they wait; one that cannot be opened ends it."""

    __slots__ = ("_closed", "_document", "_early", "_on_lost", "_on_turn", "cipher", "inner")

    def __init__(
        self,
        document: DocumentName,
        cipher: Cipher | None,
        on_turn: Callable[[LoggedTurn], None],
        on_lost: Callable[[], None],
    ) -> None:
        self.cipher = cipher
        self.inner: Following | None = None
        self._document: DocumentName = document
        self._on_turn = on_turn
        self._on_lost = on_lost
        self._early: list[LoggedTurn] = []
        self._closed = False

    def receive(self, logged: LoggedTurn) -> None:
        if self._closed:
            return
        if self.cipher is None:
            self._early.append(logged)
            if len(self._early) > MAX_EARLY_TURNS:
                self.lose()
            return
        try:
            opened = open_turn(self.cipher, self._document, logged)
        except StoreError:
            self.lose()
        else:
            self._on_turn(opened)

    def begin(self, cipher: Cipher) -> None:
        self.cipher = cipher
        early, self._early = self._early, []
        for logged in early:
            self.receive(logged)

    def lose(self) -> None:
        if not self._closed:
            self.close()
            self._on_lost()

    def close(self) -> None:
        self._closed = True
        self._early.clear()
        inner, self.inner = self.inner, None  # which leads back here: both would wait for the cycle collector
        if inner is not None:
            inner.close()

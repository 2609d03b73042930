"""The way into the log through the backplane that seals: every turn by the key of its session, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from threadline.ids import COMPANION_MARK, SessionId
from threadline_server.backplane.base import Append, DocumentName
from threadline_server.backplane.cipher import Cipher
from threadline_server.backplane.sealed_turns import seal

MAX_CIPHERS: Final = 100_000


class Sealer:
    """Turns whose key is not at hand wait, and those of the same session after them.

    ciphers: of sessions that were in use lately
    send:    takes what is sealed
    fetch:   is asked for the key of a session, once until it is brought to `release`
    """

    __slots__ = ("_fetch", "_send", "_waiting", "ciphers")

    def __init__(self, send: Callable[[Sequence[Append]], None], fetch: Callable[[SessionId], None]) -> None:
        self.ciphers: dict[SessionId, Cipher] = {}
        self._send = send
        self._fetch = fetch
        self._waiting: dict[SessionId, list[Append]] = {}

    def keep(self, session: SessionId, cipher: Cipher) -> None:
        ciphers = self.ciphers
        if len(ciphers) >= MAX_CIPHERS:
            del ciphers[next(iter(ciphers))]
        ciphers[session] = cipher

    def append(self, appends: Sequence[Append]) -> None:
        ready: list[Append] = []
        for append in appends:
            session = session_of(append.document)
            cipher = self.ciphers.get(session)
            if cipher is None or session in self._waiting:
                self._wait(session, append)
            else:
                seal(cipher, append)
                ready.append(append)
        if ready:
            self._send(ready)

    def _wait(self, session: SessionId, append: Append) -> None:
        waiting = self._waiting.get(session)
        if waiting is not None:
            waiting.append(append)
            return
        self._waiting[session] = [append]
        self._fetch(session)

    def release(self, session: SessionId, cipher: Cipher) -> None:
        """What waited for the key of `session`, which is this one."""
        waiting = self._waiting.pop(session)
        for append in waiting:
            seal(cipher, append)
        self._send(waiting)


def session_of(document: DocumentName) -> SessionId:
    return SessionId(document.partition(COMPANION_MARK)[0])

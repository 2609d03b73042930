"""Who may write to the one SQLite file now: one thread, which may wait for it, or the event loop, which never
does and comes again later.

SQLite has one writer at a time, and a second one would wait inside a commit.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turnstile:
    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def try_enter(self) -> bool:
        """For the loop: whether it may write now; it must `leave` then."""
        return self._lock.acquire(blocking=False)

    def leave(self) -> None:
        self._lock.release()

    @contextmanager
    def thread(self) -> Iterator[None]:
        """For a thread: wait until nobody else writes, then write."""
        with self._lock:
            yield

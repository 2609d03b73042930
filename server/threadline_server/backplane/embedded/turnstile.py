"""Who may write to the one SQLite file now: the event loop, which never waits, or one thread, which may.

SQLite has one writer at a time. A thread that compacts or lists must not make the loop wait inside a commit,
so both pass here first: the loop asks and goes on when the answer is no; it is called back when the thread is
through, and no other thread gets in between.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Turnstile:
    """`on_free` is called from a thread when the loop was turned away and may come again."""

    def __init__(self, on_free: Callable[[], None]) -> None:
        self._on_free = on_free
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._queued = 0
        self._busy = False
        self._loop_waits = False

    def try_enter(self) -> bool:
        """For the loop: whether it may write now; it must `leave` then."""
        with self._lock:
            if self._busy:
                self._loop_waits = True
                return False
            self._busy = True
            self._loop_waits = False
            return True

    def leave(self) -> None:
        with self._lock:
            self._busy = False
            call = self._loop_waits
            if self._queued:
                self._changed.notify()
        if call:
            self._on_free()

    def forget_loop(self) -> None:
        """The loop has nothing to write any more; threads need not wait for it."""
        if not self._loop_waits:  # which only the loop sets
            return
        with self._lock:
            self._loop_waits = False
            self._changed.notify()

    @contextmanager
    def thread(self) -> Iterator[None]:
        """For a thread: wait for the loop and for other threads, then write."""
        with self._lock:
            self._queued += 1
            try:
                while self._busy or self._loop_waits:
                    self._changed.wait()
            finally:
                self._queued -= 1
            self._busy = True
        try:
            yield
        finally:
            self.leave()

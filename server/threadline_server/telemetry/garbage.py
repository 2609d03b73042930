"""How long the cycle collector stops everything else."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Garbage:
    def __init__(self) -> None:
        self._began_s = 0.0
        self._pauses = 0
        self._paused_s = 0.0
        self._longest_s = 0.0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Counts while the block lasts."""
        gc.callbacks.append(self._called)
        try:
            yield
        finally:
            gc.callbacks.remove(self._called)

    def _called(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began_s = time.perf_counter()
            return
        took_s = time.perf_counter() - self._began_s
        self._pauses += 1
        self._paused_s += took_s
        self._longest_s = max(self._longest_s, took_s)

    def stats(self) -> Mapping[str, float]:
        return {
            "pauses_total": self._pauses,
            "pause_seconds_total": self._paused_s,
            "longest_pause_seconds": self._longest_s,
        }

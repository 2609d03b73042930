"""The times of one turn on its way from a device to the others. Made only where traces are kept."""

from __future__ import annotations

import time

from threadline_server.backplane.base import Append
from threadline_server.telemetry.tracing import Part, Tracing

NS_PER_MS = 1_000_000


class TurnTrace:
    """Unix nanoseconds: when it was handed to the log, taken by it, and written to the members."""

    __slots__ = ("_attributes", "_received_ns", "_tracing", "forwarded_ns", "handed_ns", "taken_ns")

    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing
        self._attributes: dict[str, str | int | float | bool] = {}
        self.handed_ns = self._received_ns = time.time_ns()
        self.taken_ns = 0
        self.forwarded_ns = 0

    def taken(self, append: Append) -> None:
        """The last time that its turn can be seen."""
        self.taken_ns = self.forwarded_ns = time.time_ns()
        entries = append.turn.entries
        self._received_ns = min([self.handed_ns, *(entry.at_ms * NS_PER_MS for entry in entries[:1])])
        self._attributes = {
            "threadline.document": append.document,
            "threadline.entries": len(entries),
            "threadline.bytes": sum(len(entry.update) for entry in entries),
            "threadline.role": entries[0].role if entries else "",
        }

    def forwarded(self) -> None:
        self.forwarded_ns = time.time_ns()

    def durable(self) -> None:
        """Its senders are told: the trace is whole."""
        now_ns = time.time_ns()
        parts = (
            Part("judge", self._received_ns, self.handed_ns),
            Part("append", self.handed_ns, self.taken_ns),
            Part("fan out", self.taken_ns, self.forwarded_ns),
            Part("make durable", self.taken_ns, now_ns),
        )
        self._tracing.record("update", self._received_ns, now_ns, self._attributes, parts)

"""How long updates took, and what is said of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds."""

    count: int
    p50: float
    p99: float
    worst: float

    def __str__(self) -> str:
        return f"p50 {self.p50:.2f} ms, p99 {self.p99:.2f} ms, worst {self.worst:.1f} ms of {self.count}"


def latency_of(seconds: Sequence[float]) -> Latency:
    ordered = sorted(seconds)
    assert ordered, "nothing was measured"

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] * 1000

    return Latency(len(ordered), at(0.5), at(0.99), ordered[-1] * 1000)

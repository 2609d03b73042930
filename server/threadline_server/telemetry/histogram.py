"""Counting values by size, cheaply enough for the path of every turn: one bisection and two additions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

LATENCIES_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
SIZES = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)


class Histogram:
    """counts: values up to each bound and above the one before; the last is for those above all bounds
    total:  the sum of all values
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

"""How long to wait before coming back."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Exponential with full jitter: attempt n waits a random part of `first_s * 2^n`, at most `most_s`.

    Jitter spreads the devices of a node that went away. `chance` gives numbers from 0 to 1.
    """

    first_s: float = 0.25
    most_s: float = 20.0
    chance: Callable[[], float] = random.random
    attempts: int = 0

    def next_s(self) -> float:
        longest = min(self.most_s, self.first_s * 2.0 ** min(self.attempts, 30))
        self.attempts += 1
        return longest * (0.1 + 0.9 * self.chance())

    def reset(self) -> None:
        """It went well."""
        self.attempts = 0

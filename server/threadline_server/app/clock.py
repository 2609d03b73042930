"""The clock of everything that is wired here."""

from __future__ import annotations

import time


def unix_ms() -> int:
    return time.time_ns() // 1_000_000

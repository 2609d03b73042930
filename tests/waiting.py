"""Waiting for what another process or task does: bounded, and told what for.

What a test can hear of (a frame, a callback, a line of output) it waits for itself; this is for the rest.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

PATIENCE_S = 20.0


def wait_until(condition: Callable[[], bool], what: str, *, patience_s: float = PATIENCE_S) -> None:
    """Back when `condition` holds. Raises AssertionError when it does not in time."""
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(0.01)


async def until(
    condition: Callable[[], bool],
    what: str,
    *,
    patience_s: float = PATIENCE_S,
    every_s: float = 0.01,
    told: Callable[[], str] = str,
) -> None:
    """The same on the loop. every_s: how often it is asked; told: what there is to say when it never holds"""
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, f"waited in vain until {what}: {told()}"
        await asyncio.sleep(every_s)

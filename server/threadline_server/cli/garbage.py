"""When the cycle collector looks at what: it stops everything for as long as that takes.

Nearly everything here dies by its reference count, rooms and sockets too. What is young is looked at as
Python does, five thousand objects at a time (1 ms; 50,000 take 10 ms): with a thousand, those of turns that
are not synced yet were looked at 70 times a second in vain, a fortieth of the processor. Of what is older
Python looks at all that there is whenever it has become a quarter more, 30 to 170 ms where large updates or
many sessions are there. Instead what outlived two looks, some fifteen thousand objects at a time, is left
alone until the next hour. To look at it once more before that stopped everything for 35 ms where two hundred
sessions had been opened in five seconds.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

YOUNG = (5_000, 2)
"""Objects until the collector looks at the youngest, and rounds until it looks at those that outlived one.
Python's own 700 cost a seventh of the processor under load."""

ALL_EVERY_S = 3600.0

_NEVER = 2**31 - 1
_SECOND_LOOK = 1


def begin() -> None:
    """What is imported by now stays until the end: it need not be looked at again."""
    gc.set_threshold(*YOUNG, _NEVER)
    if _leave_alone not in gc.callbacks:
        gc.callbacks.append(_leave_alone)
    gc.freeze()


def _leave_alone(phase: str, info: dict[str, int]) -> None:
    if phase == "stop" and info["generation"] == _SECOND_LOOK:
        gc.freeze()


def look_at_all() -> None:
    gc.unfreeze()
    gc.collect()
    gc.freeze()


async def look_now_and_then(every_s: float = ALL_EVERY_S, look: Callable[[], None] = look_at_all) -> None:
    """Until cancelled."""
    while True:
        await asyncio.sleep(every_s)
        look()

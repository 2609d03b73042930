"""When the cycle collector looks at what: it stops everything for as long as that takes.

Nearly everything here dies by its reference count, rooms and sockets too. What is young is looked at as
Python does, five thousand objects at a time (1 ms; 50,000 take 10 ms): with a thousand, those of turns that
are not synced yet were looked at 70 times a second in vain, a fortieth of the processor. Of what is older
Python looks at all that there is whenever it has become a quarter more, 30 to 170 ms where large updates or
many sessions are there. Instead it is looked at once, soon after it came, and then left alone until the
next hour: seconds of it at a time, since what came in a minute of many large updates took 33 to 45 ms.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

YOUNG = (5_000, 2)
"""Objects until the collector looks at the youngest, and rounds until it looks at those that outlived one.
Python's own 700 cost a seventh of the processor under load."""

OLDER_EVERY_S = 5.0
ALL_EVERY = 720
"""Every so often all that there is, and not only what came since the last time."""

_NEVER = 2**31 - 1


def begin() -> None:
    """What is imported by now stays until the end: it need not be looked at again."""
    gc.set_threshold(*YOUNG, _NEVER)
    look(everything=False)


def look(*, everything: bool) -> None:
    """At what came since the last time, or at everything."""
    if everything:
        gc.unfreeze()
    gc.collect()
    gc.freeze()


async def look_now_and_then(every_s: float = OLDER_EVERY_S, look: Callable[..., None] = look) -> None:
    """Until cancelled."""
    number = 0
    while True:
        await asyncio.sleep(every_s)
        number += 1
        look(everything=number % ALL_EVERY == 0)

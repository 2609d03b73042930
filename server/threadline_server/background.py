"""Work that may take its time, in threads that let everybody else have the processor first."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

NICE = 10
"""Of a processor that is wanted by others too: a tenth of what they have."""

T = TypeVar("T")
Args = TypeVarTuple("Args")


def background_thread(name: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, name, initializer=_step_back)


async def run_in_background(work: Callable[[*Args], T], *args: *Args) -> T:
    """`work` in such a thread of its own. It goes on where what awaits it is cancelled."""
    thread = background_thread("threadline-background")
    try:
        return await asyncio.get_running_loop().run_in_executor(thread, work, *args)
    finally:
        thread.shutdown(wait=False)


def _step_back() -> None:
    """Linux takes this for the calling thread where others take it for the process."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, 0, NICE)

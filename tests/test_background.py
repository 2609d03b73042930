"""What may take its time lets the others have the processor."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from threadline_server.background import NICE, run_in_background


@pytest.mark.asyncio
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only processes have a priority")
async def test_only_its_thread_steps_back() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = priority()
    assert await run_in_background(priority) == NICE
    assert priority() == before


@pytest.mark.asyncio
async def test_what_fails_there_fails_here() -> None:
    with pytest.raises(ZeroDivisionError):
        await run_in_background(divmod, 1, 0)

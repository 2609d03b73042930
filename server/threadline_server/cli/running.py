"""Run a node until a signal says stop."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable

import uvloop

from threadline_server.app import OnCode, RunningServer, running_server
from threadline_server.settings import Settings

Announce = Callable[[RunningServer], None]


def run_node(settings: Settings, announce: Announce, *, on_code: OnCode | None = None) -> None:
    """Serve until SIGINT or SIGTERM, then stop gracefully. Raises CouldNotStart.

    `announce` is called once devices can connect.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, announce, on_code))


async def _serve(settings: Settings, announce: Announce, on_code: OnCode | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with running_server(settings, on_code=on_code) as server:
        announce(server)
        sys.stdout.flush()
        await stop.wait()

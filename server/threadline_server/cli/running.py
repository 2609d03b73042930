"""Run a node or a worker until a signal says stop."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import uvloop

from threadline_server.app import Core, OnCode, RunningServer, running_server, running_worker
from threadline_server.cli import garbage, memory
from threadline_server.edge.http.demo import Kill
from threadline_server.settings import Settings

T = TypeVar("T")

Announce = Callable[[RunningServer], None]

SWITCH_EVERY_S = 0.0002
"""For so long a thread may compute while the loop waits to go on. With Python's own 5 ms members waited 30 ms
(the 99th percentile) while fifty devices opened sessions again and again, and 7 ms with this."""


def run_node(
    settings: Settings, announce: Announce, *, on_code: OnCode | None = None, kill: Kill | None = None
) -> None:
    """Serve until SIGINT or SIGTERM, then stop gracefully. Raises CouldNotStart.

    `announce` is called once devices can connect.
    """
    _run_until_stopped(running_server(settings, on_code=on_code, kill=kill), announce)


def run_worker(settings: Settings, announce: Callable[[Core], None]) -> None:
    """Work for other nodes until SIGINT or SIGTERM. Raises CouldNotStart."""
    _run_until_stopped(running_worker(settings), announce)


def _run_until_stopped(running: AbstractAsyncContextManager[T], announce: Callable[[T], None]) -> None:
    async def serve() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        async with running as server, asyncio.TaskGroup() as tasks:
            looking = tasks.create_task(garbage.look_now_and_then())
            announce(server)
            sys.stdout.flush()
            await stop.wait()
            looking.cancel()

    garbage.begin()
    memory.keep()
    sys.setswitchinterval(SWITCH_EVERY_S)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())

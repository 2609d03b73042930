"""Runs the examples as their users do, and waits for what becomes so."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.server_process import clean_environment

ROOT = Path(__file__).parents[2]
PATIENCE_S = 30.0
EXAMPLE_S = 120.0


async def run_example(module: str, *arguments: str) -> str:
    """What `python -m MODULE ...` prints; it must end with 0."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", module, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=clean_environment(),
        cwd=ROOT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), EXAMPLE_S)
    assert process.returncode == 0, output.decode()
    return output.decode()


async def becomes(holds: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again, bounded, until it is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not await holds():  # noqa: ASYNC110  (asked over HTTP: nothing here would set an event)
            await asyncio.sleep(0.02)

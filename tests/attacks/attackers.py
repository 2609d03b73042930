"""Starts the process of the attackers and tells it what to do."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.attacks.mark import Mark

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0
LONGEST_LINE = 1 << 28


ALONE = "alone"
"""Says to a process of attackers that nothing runs on the machine but what is measured."""


SERVERS, PEOPLES = 0, 1
"""Cores of who is alone on the machine."""


@contextmanager
def on_core(core: int, *, alone: bool) -> Iterator[None]:
    """What is started inside runs there, where nothing else is to run: otherwise the scheduler now and then
    puts a server and its devices behind each other on one core for some milliseconds, which are on machines
    of their own in earnest. On a machine that is busy besides, anywhere.
    """
    everywhere = os.sched_getaffinity(0)
    if alone and len(everywhere) > 1:
        os.sched_setaffinity(0, {sorted(everywhere)[core]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, everywhere)


@contextmanager
def honest_people_first(*, alone: bool) -> Iterator[None]:
    """This process, which is theirs, waits for nothing else on its core, where it may ask for that: what the
    kernel does there for the attackers it would do elsewhere. Nor does it wait for the cycle collector, which
    need not look at all that pytest has imported.
    """
    policy = os.sched_getscheduler(0)
    gc.collect()
    gc.freeze()
    if alone:
        with suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    try:
        yield
    finally:
        gc.unfreeze()
        os.sched_setscheduler(0, policy, os.sched_param(0))


def yield_to_honest_people() -> None:
    """An attacker's machine is not ours: this process shall take no processor from those it attacks. On a
    machine that is busy besides, it must have its share to come to an end.
    """
    if ALONE in sys.argv:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(10)


@dataclass(frozen=True, slots=True)
class Toll:
    """What came of one attack."""

    rounds: int
    successes: list[str]
    failures: list[str]


class Attackers:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def attack(
        self, name: str, mark: Mark, *, rounds: int, seconds: float = 0.0, side_by_side: int = 1
    ) -> Toll:
        command = {"name": name, "mark": mark.to_json(), "rounds": rounds}
        line = json.dumps(command | {"seconds": seconds, "side_by_side": side_by_side})
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(line.encode() + b"\n")
        async with asyncio.timeout(seconds + PATIENCE_S):
            answer = await self._process.stdout.readline()
        assert answer, "the attackers' process ended"
        return Toll(**json.loads(answer))


@asynccontextmanager
async def started(module: str, *, alone: bool) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that runs `module`, told and asked in lines; it is killed at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *([ALONE] if alone else []),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        limit=LONGEST_LINE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def attackers(*, alone: bool) -> AsyncIterator[Attackers]:
    async with started("tests.attacks.attacker", alone=alone) as process:
        yield Attackers(process)

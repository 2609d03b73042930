"""An agent whose process a test kills at a place of its choice. What its tools do is counted in a file.

`FRAGILE_DIR` is where; `FRAGILE_KILL` is where the process ends itself, the first time it gets there:
`approved` (after a person's word, before the call is begun), `begun` (in the call, before it took effect),
`done` (after it took effect, before its result is written).
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from pathlib import Path

from threadline.agents import Agent, DriverEvent, Said, Task, tool
from threadline.agents.recorder import DocumentRecorder

PLACE = Path(os.environ.get("FRAGILE_DIR", "."))
KILL_AT = os.environ.get("FRAGILE_KILL", "")

_start = DocumentRecorder.start


def reached(place: str) -> None:
    marker = PLACE / f"killed-{place}"
    if place == KILL_AT and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def effect(name: str) -> int:
    """Take effect, and say how often this has."""
    with (PLACE / name).open("a") as file:
        file.write("once\n")
    return len((PLACE / name).read_text().splitlines())


async def _start_or_die(self: DocumentRecorder, call: str) -> None:
    reached("approved")
    await _start(self, call)


DocumentRecorder.start = _start_or_die  # type: ignore[method-assign]


@tool(description="Pay", requires_approval=True)
async def pay(amount: int) -> str:
    reached("begun")
    effect("paid")
    reached("done")
    return f"Paid {amount}"


@tool(description="Look something up")
async def look(what: str) -> str:
    """The first time it never ends."""
    if effect("looked") == 1:
        await asyncio.Event().wait()
    return f"Found {what}"


class Driver:
    async def run(self, task: Task) -> AsyncGenerator[DriverEvent, None]:
        if task.words == "pay":
            yield Said("Let me pay. ")
            yield Said((await task.call("pay", {"amount": 3})).text)
        elif task.words == "look":
            yield Said((await task.call("look", {"what": "it"})).text)
        else:
            for number in range(40):
                yield Said(f"{number} ")
                if number == 20 and effect("answered") == 1:
                    await asyncio.Event().wait()


agent = Agent(name="fragile", driver=Driver(), tools=[pay, look])

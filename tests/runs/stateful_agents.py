"""An agent that ends as its goal says: well, badly, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from threadline.agents import Agent, DriverEvent, Said, Task


class Obedient:
    async def run(self, task: Task) -> AsyncGenerator[DriverEvent, None]:
        yield Said(f"I {task.goal or task.words}.")
        if task.goal == "fail":
            raise RuntimeError("as told")
        if task.goal == "wait":
            await asyncio.Event().wait()


agent = Agent(name="obedient", driver=Obedient())

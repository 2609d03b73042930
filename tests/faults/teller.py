"""An agent whose answer to a message is known to the letter, and takes a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from threadline.agents import Agent, DriverEvent, Said, Task

PIECES = 40
PIECE_S = 0.05


def pieces_of(words: str) -> list[str]:
    return [f"{words}: ", *(f"{number}, " for number in range(PIECES)), "done."]


def answer_to(words: str) -> str:
    """What the agent says to a message, whole."""
    return "".join(pieces_of(words))


class Teller:
    async def run(self, task: Task) -> AsyncGenerator[DriverEvent, None]:
        for piece in pieces_of(task.words):
            yield Said(piece)
            await asyncio.sleep(PIECE_S)  # an answer that streams for two seconds


agent = Agent(name="teller", driver=Teller())

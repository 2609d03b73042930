"""Speaking at the pace of a person who types fast, token by token."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable

import anyio

from threadline.agents.driver import Said, Thought

Sleep = Callable[[float], Awaitable[None]]

_TOKEN = re.compile(r"\s*\S{1,12}|\s+")


class Pace:
    """`tokens_per_second` 0 speaks at once."""

    def __init__(self, tokens_per_second: float = 40.0, *, sleep: Sleep = anyio.sleep) -> None:
        self._pause_s = 1 / tokens_per_second if tokens_per_second > 0 else 0.0
        self._sleep = sleep

    async def say(self, text: str) -> AsyncGenerator[Said, None]:
        async for token in self._tokens(text):
            yield Said(token)

    async def think(self, text: str) -> AsyncGenerator[Thought, None]:
        async for token in self._tokens(text):
            yield Thought(token)

    async def _tokens(self, text: str) -> AsyncGenerator[str, None]:
        for match in _TOKEN.finditer(text):
            if self._pause_s:
                await self._sleep(self._pause_s)
            yield match.group()

"""Waiting on conditions of pages, which cannot wake us."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

STEP_S = 0.05
MOST_S = 20.0


async def until(what: str, ask: Callable[[], Awaitable[T | None]]) -> T:
    """The first answer that is not None. Raises TimeoutError, saying `what` never came."""
    try:
        async with asyncio.timeout(MOST_S):
            while (answer := await ask()) is None:  # noqa: ASYNC110  (a page cannot set an event here)
                await asyncio.sleep(STEP_S)
            return answer
    except TimeoutError as error:
        raise TimeoutError(f"never: {what}") from error

"""Master keys that a key management service keeps: an application's `Wrapping`, held to what a store may do.

Its waits are bounded and whatever it raises is a StoreError, so a service that is away makes appends wait in
order and sessions stay closed, as a store that is away does.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from typing import TypeGuard, TypeVar

from threadline.errors import StoreError
from threadline_server.backplane.master_keys import Wrapped, Wrapping

ANSWER_S = 10.0

Answer = TypeVar("Answer")


def is_wrapping(found: object) -> TypeGuard[Wrapping]:
    """Whether `found` has what `Wrapping` asks for; its methods must not block."""
    methods = (getattr(found, name, None) for name in ("wrap", "unwrap"))
    return isinstance(getattr(found, "current", None), str) and all(map(inspect.iscoroutinefunction, methods))


class KeyService:
    def __init__(self, service: Wrapping, answer_s: float = ANSWER_S) -> None:
        self._service = service
        self._answer_s = answer_s

    @property
    def current(self) -> str:
        return self._service.current

    async def wrap(self, key: bytes, context: bytes) -> Wrapped:
        return await self._asked(self._service.wrap(key, context))

    async def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        return await self._asked(self._service.unwrap(wrapped, context))

    async def _asked(self, answer: Awaitable[Answer]) -> Answer:
        try:
            async with asyncio.timeout(self._answer_s):
                return await answer
        except TimeoutError as error:
            raise StoreError(
                f"The key management service did not answer within {self._answer_s:.0f} s."
            ) from error
        except StoreError:
            raise
        except Exception as error:
            raise StoreError(f"The key management service failed: {type(error).__name__}.") from error

"""How often an address may try a code. Right and wrong ones count alike: so many at once are counted."""

from __future__ import annotations

import time

import structlog
from limits import RateLimitItemPerMinute
from limits.aio.storage import Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError

from threadline.errors import LimitExceeded

_KIND = "tries"

_log = structlog.get_logger()


class TooManyTries(LimitExceeded):
    """`retry_after_s` is when to come back."""

    code = "too_many_requests"

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Tries:
    """A `per_minute` of 0 allows any number. While Redis is away nobody may try: a code can wait, and what
    protects it must not fail open.
    """

    def __init__(self, storage: Storage, per_minute: int) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._item = RateLimitItemPerMinute(max(1, per_minute))
        self._on = per_minute > 0

    async def take(self, address: str) -> None:
        """One more try of `address`. Raises TooManyTries."""
        if self._on and not await self._hit(address):
            wait_s = await self._wait_s(address)
            raise TooManyTries(f"Too many codes were tried from here; come back in {wait_s} s.", wait_s)

    async def _hit(self, address: str) -> bool:
        try:
            return await self._limiter.hit(self._item, _KIND, address)
        except StorageError as error:
            _log.warning("tries cannot be counted", error=str(error))
            return False

    async def _wait_s(self, address: str) -> int:
        try:
            reset_s = (
                await self._limiter.get_window_stats(self._item, _KIND, address)
            ).reset_time - time.time()
        except StorageError:
            reset_s = 60.0
        return min(max(1, round(reset_s)), 60)

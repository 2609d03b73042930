"""How often somebody may call the HTTP API: each caller in all, and each address that fails to say who it is.

A caller is its token, or its address where it sends none. With Redis the nodes count together; while Redis is
away each lets everything through rather than nothing.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import time
from dataclasses import dataclass

import structlog
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from threadline_server.edge.options import EdgeOptions

_GUARDED = "/api/"
_WINDOW_S = 60

_log = structlog.get_logger()


def storage_at(redis: str | None) -> Storage:
    """Where calls are counted: in Redis where that is a single server, else in this process."""
    if redis is not None and redis.startswith(("redis://", "rediss://")):
        return RedisStorage(f"async+{redis}", wrap_exceptions=True, implementation="redispy")
    return MemoryStorage()


@dataclass(slots=True)
class TurnedAway:
    """How many calls were too many, of callers and of addresses that failed to say who they are, or too
    large.
    """

    requests: int = 0
    refusals: int = 0
    bodies: int = 0

    def stats(self) -> dict[str, float]:
        return {
            "requests_turned_away_total": self.requests,
            "refusals_turned_away_total": self.refusals,
            "bodies_too_large_total": self.bodies,
        }


class RateLimit:
    """ASGI middleware. Addresses of this machine may fail as often as they like: behind a proxy that is not
    trusted, everybody has one of these.
    """

    def __init__(
        self, app: ASGIApp, storage: Storage, options: EdgeOptions, turned_away: TurnedAway | None = None
    ) -> None:
        self._app = app
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._requests = RateLimitItemPerMinute(max(1, options.requests_per_minute))
        self._refusals = RateLimitItemPerMinute(max(1, options.refusals_per_minute))
        self._on = bool(options.requests_per_minute)
        self._refusals_on = bool(options.refusals_per_minute)
        self.turned_away = turned_away or TurnedAway()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_GUARDED):
            await self._app(scope, receive, send)
            return
        address = address_of(scope)
        suspect = self._refusals_on and not is_of_this_machine(address)
        if suspect and not await self._test(self._refusals, "refusals", address):
            await self._turn_away(send, self._refusals, "refusals", address)
            return
        caller = _caller(scope, address)
        if self._on and not await self._hit(self._requests, "requests", caller):
            await self._turn_away(send, self._requests, "requests", caller)
            return

        async def watched_send(message: Message) -> None:
            if suspect and message.get("status") == 401:  # counted first: whoever reads it may ask again
                await self._hit(self._refusals, "refusals", address)
            await send(message)

        await self._app(scope, receive, watched_send)

    async def _test(self, item: RateLimitItem, kind: str, key: str) -> bool:
        try:
            return await self._limiter.test(item, kind, key)
        except StorageError as error:
            _log.warning("calls cannot be counted", error=str(error))
            return True

    async def _hit(self, item: RateLimitItem, kind: str, key: str) -> bool:
        try:
            return await self._limiter.hit(item, kind, key)
        except StorageError as error:
            _log.warning("calls cannot be counted", error=str(error))
            return True

    async def _turn_away(self, send: Send, item: RateLimitItem, kind: str, key: str) -> None:
        if kind == "requests":
            self.turned_away.requests += 1
        else:
            self.turned_away.refusals += 1
        try:
            reset_s = (await self._limiter.get_window_stats(item, kind, key)).reset_time - time.time()
        except StorageError:
            reset_s = _WINDOW_S
        wait_s = min(max(1, round(reset_s)), _WINDOW_S)
        message = f"There were more than {item.amount} {kind} within a minute; come back in {wait_s} s."
        error = {"code": "too_many_requests", "message": message, "details": None, "request_id": ""}
        body = json.dumps({"error": error}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"retry-after", str(wait_s).encode()),
        ]
        await send({"type": "http.response.start", "status": 429, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def address_of(scope: Scope) -> str:
    """The caller's address, after trusted proxies; empty where the transport has none."""
    client = scope.get("client")
    return client[0] if client else ""


def is_of_this_machine(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return True


def _caller(scope: Scope, address: str) -> str:
    """A digest, so that no token is written into what counts."""
    token = Headers(scope=scope).get("authorization", "")
    return hashlib.sha256(token.encode()).hexdigest()[:32] if token else f"at {address}"
